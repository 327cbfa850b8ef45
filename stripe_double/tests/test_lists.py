from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests
import stripe

from stripe_double import reads

if TYPE_CHECKING:
    from stripe_double.tests.conftest import Running

COLLECTIONS = sorted(set(reads.KINDS) - set(reads.NESTED) - {"payment_methods"})


def listed(double: Running, collection: str, **params: Any) -> requests.Response:
    return requests.get(f"{double.url}/v1/{collection}", params, auth=("sk_test_double", ""), timeout=5)


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_every_list_filters_by_created_and_refuses_unknown_parameters(double: Running, collection: str) -> None:
    answer = listed(double, collection, **{"created[gte]": 1, "limit": 3})
    assert answer.json() == {"object": "list", "data": [], "has_more": False, "url": f"/v1/{collection}"}
    for params, code in (
        ({"limit": 101}, "parameter_invalid_integer"),
        ({"limit": 0}, "parameter_invalid_integer"),
        ({"colour": "red"}, "parameter_unknown"),
        ({"starting_after": "x_none"}, "resource_missing"),
    ):
        assert listed(double, collection, **params).json()["error"]["code"] == code


@pytest.mark.parametrize("collection", reads.NESTED)
def test_nested_objects_are_not_listed_at_top_level(double: Running, collection: str) -> None:
    assert listed(double, collection).status_code == 404


@pytest.mark.parametrize(
    ("bounds", "found"),
    [
        ({"gte": 0}, True),
        ({"gt": 0}, False),
        ({"lte": 0}, True),
        ({"lt": 0}, False),
        ({"gt": -1, "lt": 1}, True),
        (0, True),
        (1, False),
    ],
)
def test_created_filter_bounds_are_inclusive_or_exclusive(
    double: Running, bounds: dict[str, int] | int, *, found: bool
) -> None:
    intent = double.intent()
    shifted = (
        {name: intent.created + shift for name, shift in bounds.items()}
        if isinstance(bounds, dict)
        else intent.created + bounds
    )
    for rows in (
        double.client().v1.payment_intents.list({"created": shifted}).data,
        double.client().v1.events.list({"created": shifted}).data,
    ):
        assert bool(rows) is found


def test_events_filter_by_type_pattern(double: Running) -> None:
    double.paid()
    events = double.client().v1.events
    for pattern, found in (
        ("payment_intent.*", ["payment_intent.succeeded", "payment_intent.created"]),
        ("*.succeeded", ["payment_intent.succeeded", "charge.succeeded"]),
        ("refund.*", []),
    ):
        assert [event.type for event in events.list({"type": pattern}).data] == found


@pytest.mark.parametrize("params", [{"types[]": "x", "type": "y"}, {"types[]": ["x"] * 21}, {"types": "x"}])
def test_events_filter_with_invalid_types_is_refused(double: Running, params: dict[str, Any]) -> None:
    answer = listed(double, "events", **params)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "types")


def test_filtered_list_pages_hold_only_matches(double: Running) -> None:
    paid = [double.paid() for _ in range(3)]
    events = double.client().v1.events
    first = events.list({"type": "charge.succeeded", "limit": 2})
    assert ([event.data.object.payment_intent for event in first.data], first.has_more) == (
        [paid[2].id, paid[1].id], True,
    )  # fmt: skip
    second = events.list({"type": "charge.succeeded", "limit": 2, "starting_after": first.data[-1].id})
    assert ([event.data.object.payment_intent for event in second.data], second.has_more) == ([paid[0].id], False)


def test_expand_of_unknown_field_is_refused(double: Running) -> None:
    intent = double.paid()
    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
        double.client().v1.payment_intents.retrieve(intent.id, {"expand": ["amount"]})
    whole = double.client().v1.payment_intents.retrieve(intent.id, {"expand": ["latest_charge.payment_intent"]})
    assert whole.latest_charge.payment_intent.id == intent.id
