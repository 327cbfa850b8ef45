"""Unpaid orders expire and add a strike to the buyer."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest

from accounts.models import User
from accounts.services import bidder_status
from auctioncraft.core import clock
from auctions.models import Auction, AuctionEvent
from auctions.services import eligibility
from auctions.services.locking import lock_auction
from payments import stripe_gateway
from payments.models import Order
from payments.services import expiry, payment_sync
from payments.signals import order_expired, payment_reminded
from payments.tests.conftest import broken_invariants, make_due, sell, statuses
from payments.tests.expiry_helpers import expire, paid_event, strikes
from tests import factories
from tests.db_snapshot import assert_nothing_written
from tests.time_travel import advance_time

pytestmark = pytest.mark.django_db


def test_expire_unpaid_order_ends_the_sale_and_adds_a_strike(seller, bidder, product, order, expiry_signals):
    before = Auction.objects.values().get()
    expire(product)
    order.refresh_from_db()
    event = AuctionEvent.objects.get(seq=3)
    assert (order.status, order.expired_at, order.paid_at) == ("expired", event.created_at, None)
    assert (event.kind, event.data, event.private) == (
        "sale_fell_through",
        {},
        {"buyer": bidder.pk, "seller": seller.pk},
    )
    after = Auction.objects.values().get()
    moved = {"payment_defaulted_at": event.created_at, "seq": 3, "version": before["version"] + 1}
    times = ("starts_at", "ends_at", "hard_ends_at", "last_bid_at", "closed_at")
    assert after == before | moved | {name: after[name] for name in times}
    assert (strikes(bidder), strikes(seller)) == (1, 0)
    assert expiry_signals == [("expired", order.pk, "expired")]
    assert broken_invariants() == []


def test_expire_before_due_time_does_nothing(product, order):
    advance_time(product, hours=95, minutes=59)
    with assert_nothing_written():
        assert expiry.expire_due() == 0
    advance_time(product, minutes=1)
    assert expiry.expire_due() == 1


def test_expire_again_does_nothing(product, bidder, expiry_signals):
    expire(product)
    with assert_nothing_written():
        assert expiry.expire_due() == 0
    assert (strikes(bidder), len(expiry_signals)) == (1, 1)


def test_expire_of_paid_order_does_nothing(product, order):
    Order.objects.update(status="paid", paid_at=order.created_at)
    advance_time(product, hours=1000)
    with assert_nothing_written():
        assert expiry.expire_due() == 0


def test_expire_uses_the_payment_window_at_the_time_of_sale(seller, bidder, settings):
    settings.PAYMENT_WINDOW = timedelta(hours=2)
    product = sell(seller, bidder)
    settings.PAYMENT_WINDOW = timedelta(hours=96)
    advance_time(product, hours=2)
    assert expiry.expire_due() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("hours", [30, 96])
def test_expire_or_remind_that_fails_is_rolled_back_and_does_not_stop_others(seller, bidder, caplog, hours):
    first, second = (sell(seller, bidder) for _ in range(2))
    for product in (first, second):
        advance_time(product, hours=hours)

    def fail(order, **_):
        if order.product_id == first.pk:
            raise RuntimeError

    run_job, signal = (expiry.expire_due, order_expired) if hours == 96 else (expiry.remind_due, payment_reminded)
    signal.connect(fail)
    try:
        assert run_job() == 1
        assert f"Order {Order.objects.get(product=first).pk} failed" in caplog.text
        with assert_nothing_written():
            assert run_job() == 0
    finally:
        signal.disconnect(fail)
    assert Order.objects.get(product=first).status == "awaiting_payment"
    make_due()
    assert run_job() == 1
    assert strikes(bidder) == (2 if hours == 96 else 0)


def test_expire_skips_an_order_paid_meanwhile(double, intent_id, product, order, monkeypatch):
    advance_time(product, days=19)  # longer than it waits for Stripe
    double.confirm(intent_id)
    intent = stripe_gateway.retrieve_intent(intent_id)

    def paid_first(product_id, **how):
        payment_sync.apply(order=order, payment=order.payments.get(), intent=intent)
        return lock_auction(product_id, **how)

    monkeypatch.setattr(expiry, "lock_auction", paid_first)
    assert expiry.expire_due() == 1
    assert statuses(order) == ("paid", "succeeded")
    assert (strikes(order.buyer), Auction.objects.get().payment_defaulted_at) == (0, None)
    assert broken_invariants() == []


def test_expire_skips_a_locked_auction_for_a_second(product, order, monkeypatch):
    advance_time(product, hours=96)
    monkeypatch.setattr(expiry, "lock_auction", lambda *_, **__: None)
    assert expiry.expire_due() == 0
    assert statuses(order) == ("awaiting_payment",)
    assert order.next_attempt_at <= clock.now() + timedelta(seconds=1)
    monkeypatch.undo()
    make_due()
    assert expiry.expire_due() == 1


def test_expire_with_an_intent_skips_a_locked_auction_for_a_second(double, intent_id, product, order, monkeypatch):
    advance_time(product, hours=96)
    monkeypatch.setattr(expiry, "lock_auction", lambda *_, **__: None)
    assert expiry.expire_due() == 0
    assert statuses(order) == ("awaiting_payment", "open")
    payment = order.payments.get()
    assert payment.next_attempt_at <= clock.now() + timedelta(seconds=1)
    monkeypatch.undo()
    make_due()
    assert expiry.expire_due() == 1
    assert statuses(order) == ("expired", "canceled")
    assert strikes(order.buyer) == 1


def test_expire_asks_again_in_an_hour_while_the_payment_is_processing(double, intent_id, product, order):
    advance_time(product, hours=96)
    double.confirm(intent_id, "pm_usBankAccount_processing")
    assert expiry.expire_due() == 0
    wait = order.payments.get().next_attempt_at - clock.now()
    assert timedelta(minutes=55) < wait <= timedelta(hours=1)


def test_three_strikes_suspend_the_bidder_until_staff_lift_them(as_user, seller, bidder):
    for number in (1, 2, 3):
        open_now, caller = factories.product(seller), as_user(bidder)
        assert caller.post(f"/api/products/{open_now.pk}/bids/", {"amount": "5"}).status_code == 201, number
        expire(sell(seller, bidder))
        assert strikes(bidder) == number
    open_now = factories.product(seller, buy_now_price=Decimal(90))
    address = f"/api/products/{open_now.pk}/"
    answer = caller.post(f"{address}bids/", {"amount": "5"})
    assert answer.status_code == 403
    assert answer.json() == {
        "code": "bidder_suspended",
        "detail": "You cannot bid: you have unpaid orders. Please contact support.",
    }
    assert caller.post(f"{address}buy_now/", {"price": "90"}).json()["code"] == "bidder_suspended"
    viewer = caller.get(address).json()["viewer"]
    assert (viewer["can_bid"], viewer["reason"]) == (False, "bidder_suspended")
    assert caller.get("/api/users/me/").json()["strikes"] == 3
    bidder.refresh_from_db()
    bidder_status.clear_strikes(user=bidder)
    assert (bidder.strikes, strikes(bidder)) == (0, 0)
    assert caller.post(f"{address}bids/", {"amount": "5"}).status_code == 201


def test_suspended_winner_can_pay(client, double, intent_id, order):
    User.objects.update(strikes=3)
    double.confirm(intent_id)
    paid_event(client, double, intent_id)
    assert statuses(order) == ("paid", "succeeded")


def test_strikes_before_suspension_are_a_setting(settings, seller, bidder, product):
    settings.STRIKES_BEFORE_BAN = 1
    buys = partial(eligibility.may_buy, user_id=bidder.pk, price=Decimal(1), product=product, now=clock.now())
    assert buys()
    expire(product)
    assert not buys()
