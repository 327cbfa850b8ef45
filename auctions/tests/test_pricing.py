"""auctions/formats/ascending.py."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from auctioncraft.core.errors import DomainError
from auctions.formats import ascending, base
from auctions.formats.base import BidRequest, State, Terms

VECTORS = json.loads((Path(__file__).parent / "bidding_vectors.json").read_text())
START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = START + timedelta(hours=1)
END = START + timedelta(days=7)
SELLER, A, B, C, D, E = range(1, 7)
BIDDERS = dict(zip("ABCDE", (A, B, C, D, E), strict=True))


def dec(text):
    return None if text is None else Decimal(text)


def terms(starting_bid="1.00", reserve_price=None, currency="USD", **fields):
    fields.setdefault("increments", base.increments_for(currency))
    return Terms(SELLER, currency, Decimal(starting_bid), dec(reserve_price), **fields)


def state(**fields):
    return State(**{"starts_at": START, "ends_at": END, "hard_ends_at": END + timedelta(days=1), **fields})


def bid(terms, state, bidder, amount=None, max_amount=None, now=NOW):
    return ascending.evaluate_bid(terms, state, BidRequest(bidder, dec(amount), dec(max_amount)), now)


@pytest.mark.parametrize("number", range(len(VECTORS)))
def test_evaluate_bid_vector(number):
    vector = VECTORS[number]
    its = terms(
        vector["starting_bid"],
        vector["reserve_price"],
        increments=tuple((Decimal(start), Decimal(step)) for start, step in vector["increments"]),
    )
    current = state()
    for step in vector["steps"]:
        try:
            decision = bid(its, current, BIDDERS[step["bidder"]], step["amount"], step["max_amount"])
            code, current = decision.outcome.value, decision.state
        except DomainError as error:
            code = error.code
        assert {
            "code": code,
            "current_price": None if current.price is None else str(current.price),
            "minimum_bid": str(ascending.minimum_bid(its, current.price)),
            "leader": next((name for name, id_ in BIDDERS.items() if id_ == current.leader), None),
            "reserve_met": base.reserve_met(its.reserve_price, current.price),
            "bid_count": current.bid_count,
        } == step["expect"]


def refusal(*args, **kwargs):
    with pytest.raises(DomainError) as caught:
        bid(*args, **kwargs)
    return caught.value.code


def test_evaluate_bid_refuses_in_the_order_of_the_rules():
    closed = state(open=False, leader=A, leader_max=Decimal(9), price=Decimal(1))
    assert refusal(terms(), closed, SELLER) == "invalid"
    assert refusal(terms(), closed, SELLER, "1.001") == "invalid"
    assert refusal(terms(), closed, SELLER, "2.00", "1.00") == "invalid"
    assert refusal(terms(), closed, SELLER, "2.00") == "seller_cannot_bid"
    assert refusal(terms(), closed, A, "2.00") == "auction_not_open"
    assert refusal(terms(), state(leader=A, leader_max=Decimal(9), price=Decimal(1)), A, "9.00") == "maximum_not_raised"
    assert refusal(terms(), state(leader=A, leader_max=Decimal(9), price=Decimal(1)), B, "1.24") == "bid_too_low"


def test_evaluate_bid_above_the_cap_is_invalid():
    assert refusal(terms(cap=Decimal(1000)), state(), A, "1000.01") == "invalid"
    assert bid(terms(cap=Decimal(1000)), state(), A, "1000.00").outcome == "leading"


def test_evaluate_bid_accepts_from_start_until_before_end():
    assert refusal(terms(), state(), A, "1.00", now=START - timedelta(microseconds=1)) == "auction_not_open"
    assert bid(terms(), state(), A, "1.00", now=START).placed_at == START
    assert bid(terms(), state(), A, "1.00", now=END - timedelta(microseconds=1)).outcome == "leading"
    assert refusal(terms(), state(), A, "1.00", now=END) == "auction_not_open"


def test_evaluate_bid_with_a_clock_that_steps_back_keeps_order():
    later = bid(terms(), state(), A, "1.00").state
    assert bid(terms(), later, B, "9.00", now=NOW - timedelta(minutes=5)).placed_at == NOW


@pytest.mark.parametrize(
    ("currency", "price", "step"),
    [
        ("USD", "0.99", "0.05"),
        ("USD", "1.00", "0.25"),
        ("USD", "99999", "100"),
        ("EUR", "250", "5"),
        ("GBP", "14.99", "0.50"),
        ("GBP", "15", "1"),
        ("JPY", "1", "5"),
        ("JPY", "99", "5"),
        ("JPY", "100", "25"),
        ("JPY", "500000", "10000"),
        ("KWD", "0.999", "0.05"),
        ("KWD", "25", "1"),
    ],
)
def test_increment_comes_from_the_currencys_table(currency, price, step):
    assert terms(currency=currency).step(Decimal(price)) == Decimal(step)


def test_history_shows_the_proxys_bid_as_automatic():
    led = bid(terms(), state(), A, max_amount="50.00").state
    decision = bid(terms(), led, B, "10.00")
    assert [(row.bidder, row.displayed_amount, row.outcome.value) for row in decision.rows] == [
        (B, Decimal("10.00"), "outbid"),
        (A, Decimal("10.50"), "automatic"),
    ]
    assert decision.outbid_user is None


def test_history_shows_an_outbid_maximum_as_automatic():
    led = bid(terms(), state(), A, max_amount="50.00").state
    decision = bid(terms(), led, B, max_amount="60.00")
    assert [(row.bidder, row.displayed_amount, row.outcome.value) for row in decision.rows] == [
        (A, Decimal("50.00"), "automatic"),
        (B, Decimal("51.00"), "leading"),
    ]
    assert decision.outbid_user == A


def test_raised_maximum_is_not_public():
    led = bid(terms(), state(), A, max_amount="50.00").state
    decision = bid(terms(), led, A, max_amount="60.00")
    assert (decision.outcome, decision.public, decision.state.price, decision.state.bid_count) == (
        "maximum_raised",
        False,
        led.price,
        1,
    )


def test_raised_maximum_towards_the_reserve_is_public():
    led = bid(terms(reserve_price="100.00"), state(), A, max_amount="50.00").state
    decision = bid(terms(reserve_price="100.00"), led, A, max_amount="120.00")
    assert (decision.public, decision.state.price, decision.state.bid_count) == (True, Decimal("100.00"), 2)


SOFT = {"soft_close_window": 120, "soft_close_extension": 120}


def test_late_bid_extends_the_end():
    now = END - timedelta(seconds=30)
    decision = bid(terms(**SOFT), state(), A, "1.00", now=now)
    assert (decision.extended, decision.state.ends_at) == (True, now + timedelta(seconds=120))


def test_bid_before_the_soft_close_window_does_not_extend():
    decision = bid(terms(**SOFT), state(), A, "1.00", now=END - timedelta(seconds=120))
    assert (decision.extended, decision.state.ends_at) == (False, END)


def test_late_bid_never_extends_past_the_hard_end():
    hard = END + timedelta(seconds=10)
    decision = bid(terms(**SOFT), state(hard_ends_at=hard), A, "1.00", now=END - timedelta(seconds=1))
    assert decision.state.ends_at == hard


def test_raised_maximum_does_not_extend():
    led = bid(terms(**SOFT), state(), A, "1.00").state
    decision = bid(terms(**SOFT), led, A, max_amount="9.00", now=END - timedelta(seconds=1))
    assert (decision.extended, decision.state.ends_at) == (False, END)


def test_soft_close_of_zero_never_extends():
    decision = bid(terms(), state(), A, "1.00", now=END - timedelta(microseconds=1))
    assert (decision.extended, decision.state.ends_at) == (False, END)


def test_evaluate_bid_agrees_with_ebays_published_example():
    its, current, prices = terms("1.00", "100.00"), state(), []
    for bidder, maximum in ((A, "1.50"), (B, "150"), (C, "120"), (D, "150")):
        current = bid(its, current, bidder, max_amount=maximum).state
        prices.append((current.leader, str(current.price), base.reserve_met(its.reserve_price, current.price)))
    assert prices == [(A, "1.50", False), (B, "100.00", True), (B, "122.50", True), (B, "150.00", True)]
    assert refusal(its, current, E, max_amount="151") == "bid_too_low"
