"""An order that is due does not expire before Stripe has said that nothing more will come of its payment."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from auctioncraft.core.invariants import find_violations
from payments import errors, stripe_gateway
from payments.models import Order, OrderEvent, Payment
from payments.services import expiry
from payments.signals import order_expired
from payments.tests.conftest import broken_invariants, request_intent, sell, statuses
from payments.tests.expiry_helpers import expire, expire_without_stripe, strikes
from tests.db_snapshot import assert_nothing_written
from tests.time_travel import advance_time

pytestmark = pytest.mark.django_db

AWAITING = ("awaiting_payment", "open")
EXPIRED = ("expired", "canceled")


@pytest.fixture
def asked(monkeypatch):
    """The intents that Stripe was asked about."""
    retrieve, seen = stripe_gateway.retrieve_intent, []

    def note(intent_id):
        seen.append(intent_id)
        return retrieve(intent_id)

    monkeypatch.setattr(stripe_gateway, "retrieve_intent", note)
    return seen


@pytest.fixture
def under_way(double, intent_id):
    """The intent of `order`, paid by a bank debit that takes its days."""
    double.confirm(intent_id, "pm_usBankAccount_processing")
    return intent_id


def overdue():
    return find_violations("payments").get("9 no order is overdue", [])


def settle(double, intent_id, outcome):
    double.post(f"/_double/payment_intents/{intent_id}/settle", outcome=outcome)


def test_what_could_still_be_paid_is_canceled_first(double, intent_id, product, order):
    expire(product)
    assert (statuses(order), double.intent(intent_id)["status"]) == (EXPIRED, "canceled")
    assert strikes(order.buyer) == 1
    with assert_nothing_written():
        assert (expiry.expire_due(), expiry.cancel_stale_intents()) == (0, 0)
    assert broken_invariants() == []


def test_money_that_came_unheard_of_pays_the_order(double, intent_id, product, order, expiry_signals):
    double.confirm(intent_id)
    advance_time(product, hours=96)
    assert expiry.expire_due() == 0
    assert (statuses(order), strikes(order.buyer), expiry_signals) == (("paid", "succeeded"), 0, [])
    assert broken_invariants() == []


def test_money_that_comes_while_we_ask_pays_it_too(double, intent_id, product, order, monkeypatch):
    cancel = stripe_gateway.cancel_intent

    def paid_just_before(intent_id):
        double.confirm(intent_id)
        return cancel(intent_id)

    monkeypatch.setattr(stripe_gateway, "cancel_intent", paid_just_before)
    advance_time(product, hours=96)
    assert expiry.expire_due() == 0
    assert (statuses(order), strikes(order.buyer)) == (("paid", "succeeded"), 0)


def test_a_payment_on_its_way_is_waited_for_and_pays(double, under_way, product, order):
    advance_time(product, days=17)
    assert expiry.expire_due() == 0
    assert (statuses(order), double.intent(under_way)["status"]) == (AWAITING, "processing")
    assert broken_invariants() == []
    settle(double, under_way, "succeed")
    advance_time(product, hours=1)  # no webhook tells us: it is looked at by the hour
    assert expiry.expire_due() == 0
    assert (statuses(order), strikes(order.buyer)) == (("paid", "succeeded"), 0)


def test_or_fails_and_the_order_expires(double, under_way, product, order):
    advance_time(product, days=5)
    assert expiry.expire_due() == 0
    settle(double, under_way, "fail")
    advance_time(product, hours=1)
    assert expiry.expire_due() == 1
    assert (statuses(order), strikes(order.buyer)) == (EXPIRED, 1)
    assert broken_invariants() == []


def test_it_is_asked_about_once_an_hour(under_way, product, asked):
    advance_time(product, hours=96)
    assert expiry.expire_due() == 0
    advance_time(product, minutes=59)
    with assert_nothing_written():
        assert expiry.expire_due() == 0
    assert asked == [under_way]
    advance_time(product, minutes=1)
    assert expiry.expire_due() == 0
    assert asked == [under_way] * 2


def test_it_is_not_waited_for_longer_than_fourteen_days(double, under_way, product, order):
    advance_time(product, days=18)
    expire(product)
    assert (statuses(order), double.intent(under_way)["status"]) == (("expired", "open"), "processing")
    assert strikes(order.buyer) == 1
    assert broken_invariants() == []


def test_those_that_wait_do_not_keep_others_waiting(double, under_way, seller, bidder, product, winner, asked):
    advance_time(product, days=5)
    assert expiry.expire_due(asking=1) == 0
    second = sell(seller, bidder)
    request_intent(winner, second)
    advance_time(second, hours=96)
    assert expiry.expire_due(asking=1) == 1
    assert Order.objects.get(product=second).status == "expired"


@pytest.mark.parametrize("fault", ["500", "429"])
def test_an_order_waits_while_stripe_fails(double, intent_id, product, order, fault):
    advance_time(product, hours=96)
    double.fail_next(fault)
    with assert_nothing_written():
        assert expiry.expire_due() == 0
    assert overdue() == []
    assert expiry.expire_due() == 1
    assert statuses(order) == EXPIRED


def test_while_stripe_is_away_only_what_it_need_not_be_asked_about_expires(
    double, intent_id, seller, bidder, product, order, winner, settings, asked
):
    more = [sell(seller, bidder) for _ in range(2)]
    request_intent(winner, more[0])
    for each in (product, *more):
        advance_time(each, hours=96)
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    assert expiry.expire_due() == 1
    assert len(asked) == 1  # one time-out a sweep is enough
    assert Order.objects.get(status="expired").product == more[1]
    assert broken_invariants() == []


def test_stripe_is_not_waited_for_longer_than_fifteen_days(double, intent_id, product, order, settings):
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


def test_an_intent_that_stripe_knows_no_more_is_waited_for_no_more(double, intent_id, product, order):
    Payment.objects.update(stripe_intent_id="pi_gone")
    expire(product)
    assert statuses(order) == EXPIRED


def test_a_payment_that_stripe_never_answered_to_is_closed_without_asking(
    stripe_unreachable, winner, product, order, asked
):
    assert request_intent(winner, product).status_code == 503
    expire(product)
    assert (statuses(order), asked) == (EXPIRED, [])
    assert broken_invariants() == []


def test_an_order_whose_checkout_is_opened_anew_meanwhile_is_left_for_the_next_sweep(
    double, intent_id, winner, product, order, monkeypatch
):
    cancel = stripe_gateway.cancel_intent

    def opened_meanwhile(intent_id):
        canceled = cancel(intent_id)
        monkeypatch.setattr(stripe_gateway, "cancel_intent", cancel)
        assert request_intent(winner, product).status_code == 200
        return canceled

    advance_time(product, hours=96)
    monkeypatch.setattr(stripe_gateway, "cancel_intent", opened_meanwhile)
    assert expiry.expire_due() == 0
    assert statuses(order) == ("awaiting_payment", "canceled", "open")
    assert expiry.expire_due() == 1
    assert statuses(order) == ("expired", "canceled", "canceled")
    intents = order.payments.values_list("stripe_intent_id", flat=True)
    assert {double.intent(each)["status"] for each in intents} == {"canceled"}


def test_what_no_card_can_pay_expires_without_a_strike(seller, bidder):
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


def test_what_stripe_refuses_to_charge_expires_without_a_strike(double, winner, seller, bidder, monkeypatch):
    # As with a currency whose minimum only Stripe knows.
    monkeypatch.setattr(stripe_gateway, "can_charge", lambda **_: True)
    product = sell(seller, bidder, "0.10", starting_bid=Decimal("0.05"))
    assert request_intent(winner, product).json()["code"] == "payment_refused"
    expire(product)
    assert (Order.objects.get().status, strikes(bidder)) == ("expired", 0)
    assert broken_invariants() == []


def test_what_stripe_refused_once_and_then_took_expires_with_a_strike(double, winner, product, bidder, monkeypatch):
    def refuse(**_):
        raise errors.PaymentRefused(stripe_code="account_closed")

    with monkeypatch.context() as stripe:
        stripe.setattr(stripe_gateway, "create_intent", refuse)
        assert request_intent(winner, product).status_code == 409
    assert request_intent(winner, product).status_code == 200
    expire(product)
    assert strikes(bidder) == 1


def test_stripe_is_asked_outside_any_transaction(intent_id, product, monkeypatch, transactional_db):
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


def test_stripe_refusing_to_cancel_leaves_it_for_the_next_hour(double, intent_id, product, order, monkeypatch):
    def refuse(_):
        raise errors.PaymentRefused

    with monkeypatch.context() as stripe:
        stripe.setattr(stripe_gateway, "cancel_intent", refuse)
        advance_time(product, hours=96)
        assert expiry.expire_due() == 0
    assert statuses(order) == AWAITING
    Payment.objects.update(cancel_tried_at=Payment.objects.get().cancel_tried_at - timedelta(hours=1))
    assert expiry.expire_due() == 1
    assert statuses(order) == EXPIRED


def test_a_left_over_payment_is_canceled_once_stripe_is_back(double, intent_id, product, order):
    expire_without_stripe(product)
    assert expiry.cancel_stale_intents() == 1
    assert (statuses(order), double.intent(intent_id)["status"]) == (EXPIRED, "canceled")
