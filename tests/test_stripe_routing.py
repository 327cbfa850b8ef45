"""docs/nginx.conf sends requests that may call Stripe to web-payments, so that a Stripe that hangs stops no bids."""

import ast
import re
from collections import defaultdict
from functools import cache

from django.conf import settings
from django.urls import get_resolver

APPS = ("accounts", "auctioncraft", "auctions", "notifications", "payments", "privacy")
STRIPE_CLIENT = "payments.stripe_gateway.client.client"
NGINX = (settings.BASE_DIR / "docs" / "nginx.conf").read_text()


def payment_routes():
    return re.search(r"location ~ (\S+) \{ proxy_pass http://web_payments; \}", NGINX)[1]


def modules():
    """Return the parsed modules of production code by name."""
    found = {}
    for app in APPS:
        for path in (settings.BASE_DIR / app).rglob("*.py"):
            parts = path.relative_to(settings.BASE_DIR).with_suffix("").parts
            if not {"tests", "migrations", "management"} & set(parts):
                name = ".".join(parts).removesuffix(".__init__")
                found[name] = ast.parse(path.read_text())
    return found


def names_of(node):
    """Return what a statement of a module defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def dotted(node):
    """Return an attribute chain like `a.b.c` as text; None for others."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (before := dotted(node.value)):
        return f"{before}.{node.attr}"
    return None


@cache
def references():
    """Return which definitions each definition of a module names, by full names; a signal names its receivers."""
    graph, aliases, trees = defaultdict(set), {}, modules()
    for module, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                aliases.update(
                    {f"{module}.{name.asname or name.name}": f"{node.module}.{name.name}" for name in node.names}
                )
    for module, tree in trees.items():
        for node in tree.body:
            for name in names_of(node):
                graph[f"{module}.{name}"] |= {f"{module}.{dotted(part)}" for part in ast.walk(node) if dotted(part)}
            for decorator in getattr(node, "decorator_list", ()):
                if isinstance(decorator, ast.Call) and dotted(decorator.func) == "receiver":
                    signal = resolve(f"{module}.{dotted(decorator.args[0])}", aliases)
                    graph[signal].add(f"{module}.{node.name}")
    return {name: {resolve(target, aliases) for target in targets} for name, targets in graph.items()}


def resolve(name, aliases):
    """Follow imports: `payments.views.checkout.cards.save_card` is `payments.services.cards.save_card`."""
    for _ in range(10):
        parts = name.split(".")
        heads = (".".join(parts[:end]) for end in range(len(parts), 0, -1))
        head = next((head for head in heads if head in aliases), None)
        if head is None:
            break
        name = aliases[head] + name[len(head) :]
    return name


@cache
def reaches_stripe(start):
    seen, waiting, graph = set(), [start], references()
    while waiting:
        name = waiting.pop()
        if name == STRIPE_CLIENT:
            return True
        if name not in seen:
            seen.add(name)
            waiting.extend(graph.get(name, ()))
    return False


def views(resolver=None, prefix="/"):
    """Return (path, full name of the view) for each route."""
    for pattern in (resolver or get_resolver()).url_patterns:
        path = prefix + str(pattern.pattern).removeprefix("^")
        if hasattr(pattern, "url_patterns"):
            yield from views(pattern, path)
        else:
            view = pattern.callback
            view = type(view.model_admin) if hasattr(view, "model_admin") else getattr(view, "cls", view)
            yield path, f"{view.__module__}.{view.__qualname__}"


def misrouted(routes):
    return {path for path, view in views() if reaches_stripe(view) and not re.match(routes, path)}


def test_views_that_call_stripe_are_found():
    assert {view.rpartition(".")[2] for _, view in views() if reaches_stripe(view)} >= {
        *("CardViewSet", "OrderViewSet", "PaymentViewSet", "SellerViewSet", "StripeViewSet"),
        *("PaymentAdmin", "StripeEventAdmin"),
    }


def test_views_that_call_stripe_are_served_by_web_payments():
    assert misrouted(payment_routes()) == set()


def test_route_that_nginx_lacks_is_found():
    assert "/api/stripe/webhook/$" in misrouted("^/(api/payments|admin)/")


def test_nginx_and_procfile_name_the_same_web_processes():
    procfile = re.findall(r"^(web[\w-]*):", (settings.BASE_DIR / "Procfile").read_text(), re.MULTILINE)
    upstreams = re.findall(r"^upstream (\w+)", NGINX, re.MULTILINE)
    assert [name.replace("_", "-") for name in upstreams] == procfile
    assert set(re.findall(r"proxy_pass http://(\w+);", NGINX)) == set(upstreams)
