"""Unknown fields in a body change nothing: the same rows are written as without them.

Each accepted request of role_table.py is made three times in the same scenario: twice unchanged, which shows what
always differs (times, random texts), and once with all fields that a client might want to set.
"""

import pytest
from django.apps import apps
from django.db import models
from drf_spectacular.generators import SchemaGenerator

from auctions.models import Category
from tests.role_table import ROWS
from tests.scenario import ROLES, rolled_back

pytestmark = pytest.mark.django_db

APPS = ("accounts", "auctions", "payments", "notifications")
LONG_AGO = "2001-02-03T04:05:06Z"
WISHES = {
    **dict.fromkeys(("id", "pk", "seq", "version", "bid_count", "strikes", "token_version"), 987654321),
    **dict.fromkeys(("seller", "seller_id", "bidder", "bidder_id", "winner", "winner_id", "leader", "leader_id"), 2),
    **dict.fromkeys(("buyer", "buyer_id", "user", "user_id", "recipient", "actor", "relisted_from", "order"), 2),
    **dict.fromkeys(("price", "current_price", "hammer_price", "final_price", "total", "maximum"), "987654.32"),
    **dict.fromkeys(("status", "result", "sale_type", "outcome", "state", "seller_state", "kind"), "sold"),
    **dict.fromkeys(("is_staff", "is_superuser", "is_active", "is_read", "automatic", "voided", "reserve_met"), True),
    **dict.fromkeys(("created_at", "closed_at", "placed_at", "read_at", "paid_at", "expires_at"), LONG_AGO),
    **dict.fromkeys(("email_verified_at", "hard_ends_at", "due_at", "paid_at", "last_bid_at"), LONG_AGO),
    **dict.fromkeys(("alias_salt", "thumbnail", "source", "purpose", "nonce", "user_agent", "ip"), "Wished For"),
    "groups": [1],
    "user_permissions": [1],
    "product": {"id": 1, "seller": 2},
    "__class__": "User",
    "auction": {"status": "sold", "winner": 2},
}
# Values that would be visible in any column.
MARKS = ("987654321", "987654.32", "2001-02-03", "datetime(2001, 2, 3", "Wished For")
# Accepted requests that write.
TAKEN = [
    (row, role)
    for row in ROWS
    for role, status in zip(ROLES, row.statuses, strict=True)
    if row.method != "GET" and status < 300 and role in {"anonymous", "seller", "bidder", "winner", "staff"}
]


def columns():
    """Return every row of every table."""
    rows = {}
    for app in APPS:
        for model in apps.get_app_config(app).get_models():
            fields = [
                field.attname for field in model._meta.concrete_fields if not isinstance(field, models.GeneratedField)
            ]
            rows[model.__name__] = list(model.objects.order_by("pk").values(*fields))
    return rows


def differences(one, other):
    """Return the columns and rows that differ."""
    found = set()
    for table, rows in one.items():
        if len(rows) != len(other[table]):
            found.add((table, "rows", len(rows), len(other[table])))
        for place, (row, twin) in enumerate(zip(rows, other[table], strict=False)):
            found |= {(table, place, name) for name in row if row[name] != twin[name]}
    return found


@pytest.fixture(scope="module")
def asked_for():
    """Return the field names of each endpoint from the schema."""
    schema = SchemaGenerator().get_schema(public=True)
    names = {}
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            body = next(iter(operation.get("requestBody", {}).get("content", {}).values()), {}).get("schema", {})
            shape = schema["components"]["schemas"].get(body.get("$ref", "").rpartition("/")[2], body)
            names[method.upper(), _holes(path)] = {*shape.get("properties", {})}
    return names


def _holes(path):
    return "/".join("{}" if part.startswith("{") else part for part in path.split("/"))


@pytest.mark.parametrize(("row", "role"), TAKEN, ids=[f"{row.address} as {role}" for row, role in TAKEN])
def test_body_with_unknown_fields_changes_no_row(scenario, asked_for, row, role):
    def after(extra):
        with rolled_back():
            answer = scenario.send(role, row.method, row.path, {**extra, **(row.body or {})})
            assert answer.status_code < 300, answer.content
            return answer, columns()

    names = asked_for[row.method, _holes(row.path)]
    wishes = {name: value for name, value in WISHES.items() if name not in names}
    if "image" in (row.body or {}):
        wishes = {name: value for name, value in wishes.items() if isinstance(value, int | str)}
    # In this order: what the time alone changes between the first two differs in the third as well.
    (_, first), (answer, wished), (_, second) = after({}), after(wishes), after({})
    assert differences(first, wished) - differences(first, second) == set()
    everything = answer.content.decode() + str(wished)
    assert [mark for mark in MARKS if mark in everything] == []


def test_changed_row_is_detected(scenario):
    """The comparison above can fail."""
    before = columns()
    Category.objects.filter(pk=scenario.ids["category"]).update(name="Wished For")
    assert [(table, name) for table, _, name in differences(before, columns())] == [("Category", "name")]
