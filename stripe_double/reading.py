"""Reading objects: by id, as lists with Stripe's cursors, and expanded.

Source: https://docs.stripe.com/api/pagination and https://docs.stripe.com/api/expanding_objects
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stripe_double import params
from stripe_double.errors import StripeError, missing_resource
from stripe_double.store import Query

if TYPE_CHECKING:
    from stripe_double.call import Call
    from stripe_double.forms import Params
    from stripe_double.store import Store

JSON = dict[str, Any]

KINDS = {
    "payment_intents": "payment_intent",
    "payment_methods": "payment_method",
    "charges": "charge",
    "refunds": "refund",
    "events": "event",
}
FILTERS = {
    "payment_intents": ("customer",),
    "charges": ("payment_intent", "customer"),
    "refunds": ("payment_intent", "charge"),
    "events": ("type",),
}
EXPANDABLE = {
    ("payment_intent", "latest_charge"): "charge",
    ("payment_intent", "payment_method"): "payment_method",
    ("charge", "payment_intent"): "payment_intent",
    ("refund", "charge"): "charge",
    ("refund", "payment_intent"): "payment_intent",
    ("refund", "payment_method"): "payment_method",
}
MAX_PAGE = 100
MAX_EXPANSION = 4


def one(call: Call, collection: str, object_id: str) -> JSON:
    """Return an object by id. An event tells how many of its deliveries are still to come."""
    params.only(call.params)
    found = call.find(KINDS[collection], object_id, "id")
    if collection == "events":
        found["pending_webhooks"] = call.store.pending_deliveries(object_id)
    return found


def page(call: Call, collection: str) -> JSON:
    """Return a list, newest first, with Stripe's `limit`, `starting_after`, `ending_before` and `created`."""
    given, filters = call.params, FILTERS[collection]
    several = ("types",) if collection == "events" else ()
    params.only(given, "limit", "starting_after", "ending_before", "created", *filters, *several)
    limit = params.integer(given, "limit")
    limit = 10 if limit is None else limit
    if limit > MAX_PAGE:
        message = f"This value must be less than or equal to {MAX_PAGE}."
        raise StripeError(message, code="parameter_invalid_integer", param="limit")
    equal = {name: [value] for name in filters if (value := params.text(given, name))}
    if "types" in given:
        equal["type"] = [str(item) for item in given["types"]]
    after, before = (_cursor(call, collection, name) for name in ("starting_after", "ending_before"))
    newer, older = _created(given)
    rows = call.store.find(Query(KINDS[collection], limit + 1, after, before, newer, older, equal))
    shown = rows[-limit:] if before else rows[:limit]
    return {"object": "list", "data": shown, "has_more": len(rows) > limit, "url": f"/v1/{collection}"}


def expand(store: Store, body: JSON, paths: object) -> None:
    """Replace ids by the objects they name, in place, for each of Stripe's `expand` paths."""
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        raise StripeError("Invalid array", param="expand")
    for path in paths:
        names = path.split(".")
        if len(names) > MAX_EXPANSION:
            raise StripeError(f"You cannot expand more than {MAX_EXPANSION} levels.", param="expand")
        _expand(store, body, names, path)


def _expand(store: Store, node: JSON, names: list[str], path: str) -> None:
    name, *rest = names
    if node.get("object") == "list" and name == "data" and rest:
        for item in node["data"]:
            _expand(store, item, rest, path)
        return
    if (node.get("object"), name) == ("charge", "refunds"):
        refunds = store.find(Query("refund", 11, equal={"charge": [node["id"]]}))
        url = f"/v1/charges/{node['id']}/refunds"
        node["refunds"] = {"object": "list", "data": refunds[:10], "has_more": len(refunds) > 10, "url": url}
        return
    kind = EXPANDABLE.get((str(node.get("object")), name))
    if kind is None or name not in node:
        raise StripeError(f"This property cannot be expanded ({path}).", param="expand")
    if isinstance(node[name], str):
        node[name] = store.get(kind, node[name])
    if rest and node[name] is not None:
        _expand(store, node[name], rest, path)


def _cursor(call: Call, collection: str, name: str) -> str | None:
    object_id = params.text(call.params, name)
    if object_id is not None and call.store.get(KINDS[collection], object_id) is None:
        raise missing_resource(KINDS[collection], object_id, name)
    return object_id


def _created(given: Params) -> tuple[int, int]:
    bounds = given.get("created", {})
    if isinstance(bounds, str):
        exact = params.integer(given, "created", 0) or 0
        return exact - 1, exact + 1
    if not isinstance(bounds, dict) or not set(bounds) <= {"gt", "gte", "lt", "lte"}:
        raise StripeError("Invalid created", param="created")
    read = {name: params.integer(bounds, name, 0) or 0 for name in bounds}
    newer = max([-1, *(read[name] - shift for name, shift in (("gt", 0), ("gte", 1)) if name in read)])
    older = min([2**62, *(read[name] + shift for name, shift in (("lt", 0), ("lte", 1)) if name in read)])
    return newer, older
