"""The double's objects compared with the fields of Stripe's own examples and with the types of the SDK.

`stripe_fields.json` has the names and JSON types of the fields in Stripe's examples (openapi/fixtures3.json of
github.com/stripe/openapi, MIT license, August 2026). Each of them must be in ours with the same type, except: null is
not compared (optional fields, and hashes that the examples fill with all variants at once); an id may replace an
object; an empty hash or list says nothing about its items.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Union, get_args, get_origin

import pytest
import stripe

from stripe_double.objects import API_VERSION
from stripe_double.routes import OPERATIONS
from stripe_double.tests import api_walkthrough

if TYPE_CHECKING:
    from stripe_double.tests.conftest import Running

STRIPE_FIELDS = json.loads((Path(__file__).parent / "stripe_fields.json").read_text())
TYPES = (
    stripe.Account, stripe.AccountLink, stripe.ApplicationFee, stripe.ApplicationFeeRefund, stripe.Balance,
    stripe.BalanceTransaction, stripe.Charge, stripe.Customer, stripe.Dispute, stripe.Event, stripe.PaymentIntent,
    stripe.PaymentMethod, stripe.Refund, stripe.SetupIntent, stripe.Transfer, stripe.TransferReversal,
)  # fmt: skip
OBJECT_TYPES = {kind.OBJECT_NAME: kind for kind in TYPES}


# What Stripe leaves out too: a capability nobody asked for, another method's details, a list nobody expanded.
OPTIONAL = ("account.capabilities.card_payments", "charge.payment_method_details.card", "charge.refunds")


def differences(ours: Any, theirs: Any, path: str) -> list[str]:
    """Return what differs between our value and Stripe's fields: a type name, a hash or list of them, or null."""
    id_for_object = (isinstance(ours, dict) and theirs == "str" and "id" in ours) or (
        isinstance(ours, str) and isinstance(theirs, dict) and "id" in theirs
    )
    if ours is None or theirs is None or id_for_object:
        return []
    expected = theirs if isinstance(theirs, str) else type(theirs).__name__
    if type(ours).__name__ != expected:
        return [f"{path}: {type(ours).__name__}, Stripe sends {expected}"]
    if isinstance(ours, list):
        return differences(ours[0], theirs[0], f"{path}[0]") if ours and theirs else []
    if not isinstance(ours, dict) or not ours or path.endswith(("metadata", "event.data.object")):
        return []
    missing = [f"{path}.{name}: missing" for name in theirs if name not in ours and f"{path}.{name}" not in OPTIONAL]
    below = [differences(ours[name], theirs[name], f"{path}.{name}") for name in theirs if name in ours]
    return missing + [found for each in below for found in each]


def inventions(ours: Any, kind: type, path: str) -> list[str]:
    """Return the fields that the SDK's type `kind` does not have, in the hashes it describes too."""
    inner = getattr(kind, "_inner_class_types", {})
    found = []
    for name, value in ours.items():
        if name not in kind.__annotations__:
            found.append(f"{path}.{name}")
        each = [value] if isinstance(value, dict) else value if isinstance(value, list) else []
        for item in each if name in inner else []:
            found += inventions(item, inner[name], f"{path}.{name}")
    return found


def broken_promises(ours: Any, kind: type, path: str) -> list[str]:
    """Return where the SDK's type promises a value and there is none, or names the values and ours is another."""
    inner = getattr(kind, "_inner_class_types", {})
    found = []
    for name, promised in kind.__annotations__.items():
        value, words = ours.get(name), literals(promised)
        if value is None:
            optional = type(None) in get_args(promised) or get_origin(promised) is ClassVar
            found += [] if optional else [f"{path}.{name}: missing"]
        elif words and isinstance(value, str) and value not in words:
            found.append(f"{path}.{name}: {value}")
        each = [value] if isinstance(value, dict) else value if isinstance(value, list) else []
        for item in each if name in inner else []:
            found += broken_promises(item, inner[name], f"{path}.{name}")
    return found


def literals(promised: Any) -> set[str]:
    if get_origin(promised) is Literal:
        return set(get_args(promised))
    return {word for each in get_args(promised) for word in literals(each)} if get_origin(promised) is Union else set()


def kind_of(item: dict[str, Any]) -> str:
    return f"deleted_{item['object']}" if item.get("deleted") else item["object"]


@pytest.fixture
def objects(double: Running) -> list[dict[str, Any]]:
    """Every object that the double answers on a walk through all it can do, and those in its events."""
    return api_walkthrough.through(double.url).objects()


def test_walkthrough_covers_every_operation(double: Running) -> None:
    met = {(visit.method, visit.path) for visit in api_walkthrough.through(double.url).visits if visit.status == 200}
    assert {(each.method, f"/v1{each.path}") for each in OPERATIONS} - met == set()


def test_objects_have_every_stripe_field_with_its_type(objects: list[dict[str, Any]]) -> None:
    found = {line for item in objects for line in differences(item, STRIPE_FIELDS[kind_of(item)], kind_of(item))}
    assert sorted(found) == []


def test_objects_have_no_unknown_field(objects: list[dict[str, Any]]) -> None:
    # A deleted object is an id and a word about it; the SDK has no type for those.
    whole = [item for item in objects if not item.get("deleted")]
    found = {line for item in whole for line in inventions(item, OBJECT_TYPES[item["object"]], item["object"])}
    assert sorted(found) == []


def test_objects_match_the_sdk_types_and_literals(objects: list[dict[str, Any]]) -> None:
    whole = [item for item in objects if not item.get("deleted")]
    found = {line for item in whole for line in broken_promises(item, OBJECT_TYPES[item["object"]], item["object"])}
    assert sorted(found) == []


def test_shape_comparison_reports_differences() -> None:
    ours = {"id": "txn_1", "object": "balance_transaction", "type": "gift", "colour": "red"}
    assert inventions(ours, stripe.BalanceTransaction, "it") == ["it.colour"]
    found = broken_promises(ours, stripe.BalanceTransaction, "it")
    assert {"it.amount: missing", "it.type: gift"} <= set(found)
    assert "it.exchange_rate: missing" not in found
    assert differences({"amount": "1"}, {"amount": "int", "net": "int"}, "it") == [
        "it.net: missing", "it.amount: str, Stripe sends int",
    ]  # fmt: skip


def test_api_version_matches_the_sdk() -> None:
    assert stripe.api_version == API_VERSION
