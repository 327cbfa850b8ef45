"""Every endpoint, method and role: role_table.py, compared with the URL configuration.

A new route or method fails here until it has a row.
"""

import re
from http import HTTPMethod

import pytest
from django.urls import get_resolver, resolve

from tests.role_table import BODIES, ROWS
from tests.scenario import ROLES, rolled_back

# Each test is a savepoint in the transaction of the scenario.
pytestmark = pytest.mark.django_db

METHODS = [method for method in HTTPMethod if method not in {"CONNECT", "OPTIONS", "HEAD"}]
CODES = {400: "invalid", 401: "token_not_valid", 403: "permission_denied", 404: "not_found", 405: "method_not_allowed"}


def routes(patterns=None, before=""):
    """Yield every route as a regular expression, with its view."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        path = before + str(pattern.pattern).removeprefix("^").replace("$", "")
        if hasattr(pattern, "url_patterns"):
            yield from routes(pattern.url_patterns, path)
        else:
            yield path, pattern.callback


def served(callback):
    """Return the methods of a view."""
    actions = getattr(callback, "actions", None)
    names = set(callback.cls.http_method_names)
    return {name.upper() for name in names & ({*actions} if actions else {*dir(callback.cls)})} & {*METHODS}


# The admin is tested below; the last route is the 404; media is served in development only.
API = {path: callback for path, callback in routes() if path.startswith("api/") and path != "api/"} | {
    "api/": resolve("/api/").func
}


def example(row):
    """Return the path of a row with example ids."""
    return re.sub(r"\{(\w+)\}", lambda name: UUID if name[1] in {"bid", "session"} else "1", row.path)


UUID = "0190163d-8694-739b-aea5-966c26f8ad91"


def test_every_route_and_method_has_a_row():
    known = {(re.sub(r"^/", "", example(row)), row.method) for row in ROWS}
    found = {}
    for path, callback in API.items():
        fitting = [(where, method) for where, method in known if re.fullmatch(path, where)]
        found[path] = served(callback) ^ {method for _, method in fitting}
    assert {path: methods for path, methods in found.items() if methods} == {}
    nowhere = {where for where, _ in known if not any(re.fullmatch(path, where) for path in API)}
    assert nowhere == set()
    assert BODIES.keys() <= {row.address for row in ROWS}


@pytest.mark.parametrize("row", ROWS, ids=[row.address for row in ROWS])
def test_endpoint_answers_each_role_with_its_status(scenario, row):
    found = {}
    for role in ROLES:
        with rolled_back():
            answer = scenario.send(role, row.method, row.path, row.body)
            found[role] = answer.status_code
        if answer.status_code >= 400:
            assert {"code", "detail"} <= set(answer.json()), role
            expected = CODES.get(answer.status_code)
            if answer.status_code in {401, 404, 405}:
                assert answer.json()["code"] in {expected, "not_authenticated"}, role
        if row.method == "GET" and role in {"anonymous", "staff"}:
            head = scenario.send(role, "HEAD", row.path)
            assert (head.status_code, head.content) == (answer.status_code, b""), role
    assert found == dict(zip(ROLES, row.statuses, strict=True))


@pytest.mark.parametrize("path", sorted({row.path for row in ROWS}))
def test_endpoint_with_another_method_answers_405(scenario, path):
    here = example(next(row for row in ROWS if row.path == path))
    view = resolve(here).func
    for method in {*METHODS} - served(view):
        for role in ROLES:
            answer = scenario.caller(role).generic(method, path.format(**scenario.ids), b"{}", "application/json")
            # Authentication comes first.
            allowed = {405} if role == "staff" else {405, 401, 403}
            assert answer.status_code in allowed, (method, role)
            assert answer["Content-Type"] == "application/json"
            assert set(answer.json()) == {"code", "detail"}
            if answer.status_code == 405:
                assert answer.json()["code"] == "method_not_allowed"
                assert method not in answer["Allow"].split(", ")


def test_admin_with_an_api_token_redirects_to_login(scenario):
    for path, _ in routes():
        if not path.startswith("admin/") or path.startswith(("admin/login", "admin/jsi18n", "admin/logout")):
            continue
        where = "/" + re.sub(r"\(\?P<[^)]*\)+|<[^>]*>", "1", path)
        for role in ROLES:
            answer = scenario.caller(role).get(where)
            assert answer.status_code in {302, 404}, (where, role)
            assert answer.status_code == 404 or answer["Location"].startswith("/admin/login/"), (where, role)


@pytest.mark.parametrize("role", ["stranger", "seller", "bidder", "winner", "staff"])
def test_private_answers_hold_no_foreign_email(scenario, role):
    own = scenario.people[role].email
    for row in ROWS:
        if row.method == "GET" and "schema" not in row.path:
            text = scenario.send(role, "GET", row.path).content.decode(errors="replace")
            assert {*re.findall(r"[\w.+-]+@example\.com", text)} <= {own, own.replace("@", ".new@")}, row.path
