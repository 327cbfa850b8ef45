from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import stripe

from stripe_double import ledger
from stripe_double.call import Call
from stripe_double.tests import api_walkthrough
from stripe_double.tests.conftest import plain

if TYPE_CHECKING:
    from stripe_double.store import Store
    from stripe_double.tests.conftest import Running

DAY = 24 * 3600


def acting(store: Store) -> Call:
    return Call(
        store=store, params={}, request_id="", idempotency_key=None, base_url="", publishable=False, delivers=False
    )


@pytest.fixture
def call(double: Running) -> Call:
    """A call by which the double itself moves money, to have movements whatever else moves any."""
    return acting(double.store)


def test_balance_empty_is_zero_usd(double: Running) -> None:
    assert plain(double.client().v1.balance.retrieve()) == {
        "object": "balance",
        "available": [{"amount": 0, "currency": "usd", "source_types": {"card": 0}}],
        "connect_reserved": [{"amount": 0, "currency": "usd"}],
        "livemode": False,
        "pending": [{"amount": 0, "currency": "usd", "source_types": {"card": 0}}],
    }


def test_balance_is_the_sum_of_transactions_per_currency(double: Running, call: Call) -> None:
    for type_, amount, currency in (
        ("charge", 5000, "usd"),
        ("refund", -1000, "usd"),
        ("transfer", -700, "usd"),
        ("transfer_refund", 200, "usd"),
        ("charge", 300, "eur"),
    ):
        ledger.record(call, type_=type_, amount=amount, currency=currency, source="x")
    balance = double.client().v1.balance.retrieve()
    assert {item.currency: item.amount for item in balance.pending} == {"eur": 300, "usd": 5000}
    assert {item.currency: item.amount for item in balance.available} == {"eur": 0, "usd": -1500}


def test_payment_becomes_available_after_two_days(double: Running, call: Call) -> None:
    made = ledger.record(call, type_="charge", amount=5000, currency="usd", source="x")
    assert (made["status"], made["available_on"] - made["created"]) == ("pending", 2 * DAY)
    double.store.save(made | {"available_on": made["available_on"] - 2 * DAY})
    seen = double.client().v1.balance_transactions.retrieve(made["id"])
    assert seen.status == "available"
    assert [item.status for item in double.client().v1.balance_transactions.list().data] == ["available"]
    balance = double.client().v1.balance.retrieve()
    assert (balance.available[0].amount, balance.pending[0].amount) == (5000, 0)


def test_fee_reduces_the_net_amount(call: Call) -> None:
    made = ledger.record(call, type_="charge", amount=1000, currency="usd", source="x", fee=59)
    assert (made["net"], [item["amount"] for item in made["fee_details"]]) == (941, [59])


@pytest.mark.parametrize(
    ("type_", "amount", "category"),
    [
        ("charge", 1, "charge"),
        ("payment", 1, "charge"),
        ("refund", -1, "refund"),
        ("refund_failure", 1, "refund_failure"),
        ("transfer", -1, "transfer"),
        ("transfer_refund", 1, "transfer_reversal"),
        ("application_fee", 1, "platform_earning"),
        ("application_fee_refund", -1, "platform_earning_refund"),
        ("adjustment", -1, "dispute"),
        ("adjustment", 1, "dispute_reversal"),
    ],
)
def test_balance_transactions_have_stripe_reporting_categories(
    call: Call, type_: str, amount: int, category: str
) -> None:
    made = ledger.record(call, type_=type_, amount=amount, currency="usd", source="x")
    assert made["reporting_category"] == category


def test_balance_transactions_filter_by_type_source_and_currency(double: Running, call: Call) -> None:
    for type_, currency, source in (("charge", "usd", "ch_1"), ("refund", "usd", "re_1"), ("charge", "eur", "ch_2")):
        ledger.record(call, type_=type_, amount=1, currency=currency, source=source)
    listed = double.client().v1.balance_transactions
    for params, found in (
        ({"type": "charge"}, ["ch_2", "ch_1"]),
        ({"source": "re_1"}, ["re_1"]),
        ({"currency": "usd"}, ["re_1", "ch_1"]),
        ({"type": "charge", "currency": "usd"}, ["ch_1"]),
        ({"created": {"gte": 4_000_000_000}}, []),
    ):
        assert [item.source for item in listed.list(params).data] == found
    with pytest.raises(stripe.InvalidRequestError, match="No such payout"):
        listed.list({"payout": "po_none"})


def test_balance_transaction_expands_its_source(double: Running) -> None:
    double.intent(confirm=True, payment_method="pm_card_createDispute")
    moved = double.client().v1.balance_transactions.list({"type": "adjustment", "expand": ["data.source"]}).data[0]
    assert (moved.source.object, moved.source.amount, moved.amount) == ("dispute", 1999, -1999)


def test_every_movement_has_a_balance_transaction(double: Running) -> None:
    seen = api_walkthrough.through(double.url).objects()
    books = {item["id"]: item for item in seen if item["object"] == "balance_transaction"}
    named = set()
    for item in seen:
        for field in ("balance_transaction", "failure_balance_transaction"):
            if isinstance(item.get(field), str):
                booked = books[item[field]]
                named.add(booked["id"])
                assert (booked["source"], abs(booked["amount"])) == (item["id"], item["amount"])
        if item["object"] == "dispute":
            named |= {booked["id"] for booked in item["balance_transactions"]}
    assert named == set(books)
    held = double.client().v1.balance.retrieve()
    assert held.available[0].amount + held.pending[0].amount == sum(item["net"] for item in books.values())
