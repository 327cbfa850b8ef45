"""An overdue order expires only after Stripe has confirmed that its payment cannot succeed."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db.models import F

from auctioncraft.core import card_amounts
from payments import errors, stripe_gateway
from payments.models import Order, OrderEvent, Payment
from payments.services import expiry
from payments.signals import order_expired
from payments.tests.conftest import broken_invariants, make_due, request_intent, sell, statuses
from payments.tests.expiry_helpers import expire, expire_without_stripe, strikes
from tests.db_snapshot import assert_nothing_written
from tests.time_travel import advance_time
from tests.violations import find_violations

pytestmark = pytest.mark.django_db

AWAITING = ("awaiting_payment", "open")
EXPIRED = ("expired", "canceled")


@pytest.fixture
def asked(monkeypatch):
    """The ids of the intents that were requested from Stripe."""
    retrieve, seen = stripe_gateway.retrieve_intent, []

    def note(intent_id):
        seen.append(intent_id)
        return retrieve(intent_id)

    monkeypatch.setattr(stripe_gateway, "retrieve_intent", note)
    return seen


@pytest.fixture
def under_way(double, intent_id):
    """The intent of `order`, paid by a bank debit that is processing."""
    double.confirm(intent_id, "pm_usBankAccount_processing")
    return intent_id


def overdue():
    return find_violations("payments").get("9 no order is overdue", [])


def settle(double, intent_id, outcome):
    double.post(f"/_double/payment_intents/{intent_id}/settle", outcome=outcome)


def test_expire_cancels_the_open_intent_first(double, intent_id, product, order):
    expire(product)
    assert (statuses(order), double.intent(intent_id)["status"]) == (EXPIRED, "canceled")
    assert strikes(order.buyer) == 1
    with assert_nothing_written():
        assert (expiry.expire_due(), expiry.cancel_stale_intents()) == (0, 0)
    assert broken_invariants() == []


def test_expire_finds_a_success_whose_event_was_lost(double, intent_id, product, order, expiry_signals):
    double.confirm(intent_id)
    advance_time(product, hours=96)
    assert expiry.expire_due() == 1
    assert (statuses(order), strikes(order.buyer), expiry_signals) == (("paid", "succeeded"), 0, [])
    assert broken_invariants() == []


def test_expire_finds_a_success_during_the_cancel_request(double, intent_id, product, order, monkeypatch):
    cancel = stripe_gateway.cancel_intent

    def paid_just_before(intent_id):
        double.confirm(intent_id)
        return cancel(intent_id)

    monkeypatch.setattr(stripe_gateway, "cancel_intent", paid_just_before)
    advance_time(product, hours=96)
    assert expiry.expire_due() == 1
    assert (statuses(order), strikes(order.buyer)) == (("paid", "succeeded"), 0)


def test_expire_waits_for_a_processing_payment_that_succeeds(double, under_way, product, order):
    advance_time(product, days=17)
    assert expiry.expire_due() == 0
    assert (statuses(order), double.intent(under_way)["status"]) == (AWAITING, "processing")
    assert broken_invariants() == []
    settle(double, under_way, "succeed")
    advance_time(product, hours=1)  # no event comes: it is checked every hour
    assert expiry.expire_due() == 1
    assert (statuses(order), strikes(order.buyer)) == (("paid", "succeeded"), 0)


def test_expire_waits_for_a_processing_payment_that_fails(double, under_way, product, order):
    advance_time(product, days=5)
    assert expiry.expire_due() == 0
    settle(double, under_way, "fail")
    advance_time(product, hours=1)
    assert expiry.expire_due() == 1
    assert (statuses(order), strikes(order.buyer)) == (EXPIRED, 1)
    assert broken_invariants() == []


def test_expire_asks_about_a_processing_payment_once_an_hour(under_way, product, asked):
    advance_time(product, hours=96)
    assert expiry.expire_due() == 0
    advance_time(product, minutes=59)
    with assert_nothing_written():
        assert expiry.expire_due() == 0
    assert asked == [under_way]
    advance_time(product, minutes=1)
    assert expiry.expire_due() == 0
    assert asked == [under_way] * 2


def test_expire_waits_for_a_processing_payment_at_most_14_days(double, under_way, product, order):
    advance_time(product, days=18)
    expire(product)
    assert (statuses(order), double.intent(under_way)["status"]) == (("expired", "open"), "processing")
    assert strikes(order.buyer) == 1
    assert broken_invariants() == []


def test_expire_waiting_orders_do_not_delay_others(double, under_way, seller, bidder, product, winner, asked):
    advance_time(product, days=5)
    assert expiry.expire_due() == 0
    second = sell(seller, bidder)
    request_intent(winner, second)
    advance_time(second, hours=96)
    assert expiry.expire_due() == 1
    assert Order.objects.get(product=second).status == "expired"


@pytest.mark.parametrize("fault", ["500", "429"])
def test_expire_waits_while_stripe_fails(double, intent_id, product, order, fault):
    advance_time(product, hours=96)
    double.fail_next(fault)
    assert (expiry.expire_due(), statuses(order), strikes(order.buyer)) == (0, AWAITING, 0)
    assert overdue() == []
    make_due()
    assert expiry.expire_due() == 1
    assert statuses(order) == EXPIRED


def test_expire_with_stripe_unreachable_expires_orders_without_intent(
    double, intent_id, seller, bidder, product, order, winner, settings, asked
):
    more = [sell(seller, bidder) for _ in range(2)]
    request_intent(winner, more[0])
    for each in (product, *more):
        advance_time(each, hours=96)
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    assert expiry.expire_due() == 1
    assert len(asked) == 1  # one timeout per run
    assert Order.objects.get(status="expired").product == more[1]
    assert broken_invariants() == []


def test_expire_waits_for_an_unreachable_stripe_at_most_15_days(double, intent_id, product, order, settings):
    url = settings.STRIPE_API_BASE
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    advance_time(product, days=18, hours=23)
    assert (expiry.expire_due(), overdue()) == (0, [])
    advance_time(product, hours=1, minutes=2)
    assert len(overdue()) == 1
    assert expiry.expire_due() == 1
    assert (statuses(order), overdue()) == (("expired", "open"), [])
    settings.STRIPE_API_BASE = url
    assert expiry.cancel_stale_intents() == 1
    assert statuses(order) == EXPIRED


def test_expire_of_intent_unknown_at_stripe_does_not_wait(double, intent_id, product, order):
    Payment.objects.update(stripe_intent_id="pi_gone")
    expire(product)
    assert statuses(order) == EXPIRED


def test_expire_of_payment_without_intent_does_not_call_stripe(stripe_unreachable, winner, product, order, asked):
    assert request_intent(winner, product).status_code == 503
    expire(product)
    assert (statuses(order), asked) == (EXPIRED, [])
    assert broken_invariants() == []


def test_expire_cancels_a_checkout_that_reopened_meanwhile_too(double, intent_id, winner, product, order, monkeypatch):
    cancel = stripe_gateway.cancel_intent

    def opened_meanwhile(intent_id):
        canceled = cancel(intent_id)
        monkeypatch.setattr(stripe_gateway, "cancel_intent", cancel)
        assert request_intent(winner, product).status_code == 200
        return canceled

    advance_time(product, hours=96)
    monkeypatch.setattr(stripe_gateway, "cancel_intent", opened_meanwhile)
    assert expiry.expire_due() == 1
    assert statuses(order) == ("expired", "canceled", "canceled")
    intents = order.payments.values_list("stripe_intent_id", flat=True)
    assert {double.intent(each)["status"] for each in intents} == {"canceled"}


def test_expire_of_unchargeable_amount_adds_no_strike(seller, bidder, settings):
    settings.OFFLINE_PAYMENTS = True
    heard = []

    def listen(order, payable, **_):
        heard.append((order.pk, payable))

    product = sell(seller, bidder, "1.235", currency="KWD", starting_bid=Decimal("1.235"))
    order_expired.connect(listen)
    try:
        expire(product)
    finally:
        order_expired.disconnect(listen)
    order = Order.objects.get()
    assert (order.status, strikes(bidder), heard) == ("expired", 0, [(order.pk, False)])
    assert OrderEvent.objects.get(kind="expired").data == {"reason": "amount_not_chargeable"}
    assert broken_invariants() == []


def test_expire_after_stripe_refused_the_amount_adds_no_strike(double, winner, seller, bidder, monkeypatch, settings):
    settings.OFFLINE_PAYMENTS = True
    # Like a currency whose minimum only Stripe knows.
    monkeypatch.setattr(card_amounts, "can_charge", lambda **_: True)
    product = sell(seller, bidder, "0.10", starting_bid=Decimal("0.05"))
    assert request_intent(winner, product).json()["code"] == "payment_refused"
    expire(product)
    assert (Order.objects.get().status, strikes(bidder)) == ("expired", 0)
    assert broken_invariants() == []


def test_expire_after_stripe_refused_once_and_then_accepted_adds_a_strike(double, winner, product, bidder, monkeypatch):
    def refuse(**_):
        raise errors.PaymentRefused(stripe_code="account_closed")

    with monkeypatch.context() as stripe:
        stripe.setattr(stripe_gateway, "create_intent", refuse)
        assert request_intent(winner, product).status_code == 409
    assert request_intent(winner, product).status_code == 200
    expire(product)
    assert strikes(bidder) == 1


def test_expire_calls_stripe_outside_a_transaction(intent_id, product, monkeypatch, transactional_db):
    from django.db import connection

    inside = []

    def watched(ask):
        def watch(intent_id):
            inside.append(connection.in_atomic_block)
            return ask(intent_id)

        return watch

    for name in ("retrieve_intent", "cancel_intent"):
        monkeypatch.setattr(stripe_gateway, name, watched(getattr(stripe_gateway, name)))
    expire(product)
    assert inside == [False, False]


def test_expire_waits_an_hour_after_stripe_refuses_to_cancel(double, intent_id, product, order, monkeypatch):
    def refuse(_):
        raise errors.PaymentRefused

    with monkeypatch.context() as stripe:
        stripe.setattr(stripe_gateway, "cancel_intent", refuse)
        advance_time(product, hours=96)
        assert expiry.expire_due() == 0
    assert statuses(order) == AWAITING
    Payment.objects.update(next_attempt_at=F("next_attempt_at") - timedelta(hours=1))
    assert expiry.expire_due() == 1
    assert statuses(order) == EXPIRED


def test_expire_leaves_an_intent_that_is_canceled_later(double, intent_id, product, order):
    expire_without_stripe(product)
    assert expiry.cancel_stale_intents() == 1
    assert (statuses(order), double.intent(intent_id)["status"]) == (EXPIRED, "canceled")
