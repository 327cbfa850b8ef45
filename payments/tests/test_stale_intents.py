"""Intents of orders that expired or were paid: canceled at Stripe, or surplus."""

from __future__ import annotations

from decimal import Decimal

import pytest

from auctions.models import Auction
from auctions.services import bidding, closing, second_chance
from payments import errors, stripe_gateway, tasks
from payments.models import Order, Payment, StripeEvent
from payments.services import expiry
from payments.tests.conftest import broken_invariants, build_event, make_due, post_event, request_intent, statuses
from payments.tests.expiry_helpers import SUCCEEDED, expire, expire_without_stripe, paid_event, strikes
from tests import factories
from tests.db_snapshot import assert_nothing_written
from tests.time_travel import advance_time

pytestmark = pytest.mark.django_db


def test_cancel_stale_intent_of_expired_order_cancels_it_at_stripe(double, intent_id, product, order):
    expire_without_stripe(product)
    assert statuses(order) == ("expired", "open")
    assert expiry.cancel_stale_intents() == 1
    assert (statuses(order), double.intent(intent_id)["status"]) == (("expired", "canceled"), "canceled")
    with assert_nothing_written():
        assert expiry.cancel_stale_intents() == 0
    assert broken_invariants() == []


def test_cancel_stale_leaves_intents_of_payable_orders(double, intent_id, order):
    with assert_nothing_written():
        tasks.cancel_stale_intents()
    assert (statuses(order), double.intent(intent_id)["status"]) == (
        ("awaiting_payment", "open"),
        "requires_payment_method",
    )


def test_cancel_stale_intent_paid_meanwhile_is_surplus(double, intent_id, product, order):
    expire_without_stripe(product)
    double.confirm(intent_id)
    expiry.cancel_stale_intents()
    assert statuses(order) == ("expired", "surplus")
    assert Payment.objects.get().succeeded_at is not None
    assert (strikes(order.buyer), Auction.objects.get().paid_at) == (1, None)
    with assert_nothing_written():
        assert expiry.cancel_stale_intents() == 0
    assert broken_invariants() == []


def test_success_event_after_expiry_is_surplus_and_flagged(client, double, intent_id, product, order):
    expire_without_stripe(product)
    double.confirm(intent_id)
    assert paid_event(client, double, intent_id).flag == "surplus_order_expired"
    assert statuses(order) == ("expired", "surplus")
    assert paid_event(client, double, intent_id, "evt_2").flag == "surplus"
    assert statuses(order) == ("expired", "surplus")
    assert broken_invariants() == []


def test_success_event_of_canceled_intent_is_surplus(client, double, intent_id, product, order):
    expire_without_stripe(product)
    expiry.cancel_stale_intents()
    odd = {**double.intent(intent_id), "status": "succeeded", "amount_received": 1999}
    assert post_event(client, build_event(odd, SUCCEEDED)).status_code == 200
    assert (StripeEvent.objects.get().flag, statuses(order)) == ("surplus_order_expired", ("expired", "surplus"))


def test_success_event_before_expiry_pays_the_order(client, double, intent_id, product, order):
    advance_time(product, hours=97)  # overdue with no worker running: payable until it expires
    double.confirm(intent_id)
    paid_event(client, double, intent_id)
    with assert_nothing_written():
        assert (expiry.expire_due(), expiry.cancel_stale_intents()) == (0, 0)
    assert (statuses(order), strikes(order.buyer)) == (("paid", "succeeded"), 0)
    assert broken_invariants() == []


def test_cancel_stale_intent_that_is_processing_cancels_it(double, intent_id, product, order):
    double.confirm(intent_id, "pm_usBankAccount_processing")
    expire_without_stripe(product)
    expiry.cancel_stale_intents()
    assert (statuses(order), double.intent(intent_id)["status"]) == (("expired", "canceled"), "canceled")


@pytest.mark.parametrize(("outcome", "ends"), [("succeed", "surplus"), ("fail", "canceled")])
def test_cancel_stale_intent_that_stripe_keeps_waits_for_the_outcome(
    double, intent_id, product, order, monkeypatch, outcome, ends
):
    # Stripe cancels a processing intent only "in rare cases": https://docs.stripe.com/api/payment_intents/cancel
    def refuse(_):
        raise errors.PaymentRefused

    double.confirm(intent_id, "pm_usBankAccount_processing")
    expire_without_stripe(product)
    with monkeypatch.context() as stripe:
        stripe.setattr(stripe_gateway, "cancel_intent", refuse)
        assert expiry.cancel_stale_intents() == 0
        # Its event says when that ends; in case it is lost, Stripe is asked once an hour.
        with assert_nothing_written():
            assert expiry.cancel_stale_intents() == 0
    assert (statuses(order), double.intent(intent_id)["status"]) == (("expired", "open"), "processing")
    double.post(f"/_double/payment_intents/{intent_id}/settle", outcome=outcome)
    advance_time(product, hours=1)
    assert expiry.cancel_stale_intents() == 1
    assert statuses(order) == ("expired", ends)
    assert broken_invariants() == []


@pytest.mark.parametrize("fault", ["500", "429"])
def test_cancel_stale_retries_after_stripe_fails(double, intent_id, product, order, fault):
    expire_without_stripe(product)
    double.fail_next(fault)
    assert (expiry.cancel_stale_intents(), statuses(order)) == (0, ("expired", "open"))
    make_due()
    assert expiry.cancel_stale_intents() == 1
    assert statuses(order) == ("expired", "canceled")


def test_cancel_stale_with_stripe_unreachable_changes_nothing(double, intent_id, product, order, settings):
    expire_without_stripe(product)
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    assert (expiry.cancel_stale_intents(), statuses(order)) == (0, ("expired", "open"))


def test_cancel_stale_intent_unknown_at_stripe_is_canceled_here(double, intent_id, product, order):
    expire_without_stripe(product)
    Payment.objects.update(stripe_intent_id="pi_gone")
    assert expiry.cancel_stale_intents() == 1
    assert statuses(order) == ("expired", "canceled")


def test_create_intent_for_order_that_expires_meanwhile_is_409_without_secret(
    double, winner, product, order, monkeypatch
):
    create = stripe_gateway.create_intent

    def expired_meanwhile(**fields):
        intent = create(**fields)
        monkeypatch.setattr(stripe_gateway, "create_intent", create)
        expire(product)
        return intent

    monkeypatch.setattr(stripe_gateway, "create_intent", expired_meanwhile)
    answer = request_intent(winner, product)
    assert (answer.status_code, answer.json()["code"]) == (409, "order_not_payable")
    assert "client_secret" not in answer.json()
    assert statuses(order) == ("expired", "canceled")


def test_cancel_stale_calls_stripe_outside_a_transaction(intent_id, product, monkeypatch, transactional_db):
    from django.db import connection

    cancel, inside = stripe_gateway.cancel_intent, []

    def watch(intent_id):
        inside.append(connection.in_atomic_block)
        return cancel(intent_id)

    monkeypatch.setattr(stripe_gateway, "cancel_intent", watch)
    expire_without_stripe(product)
    expiry.cancel_stale_intents()
    assert inside == [False]


def test_success_event_of_the_first_buyer_leaves_the_second_chance_order_unpaid(
    client, double, intent_id, seller, bidder, rival, as_user
):
    product = factories.product(seller)
    for user, amount in ((rival, "20"), (bidder, "30")):
        bidding.place_bid(product_id=product.pk, bidder_id=user.pk, amount=Decimal(amount))
    closing.close_auction(product_id=product.pk, actor=seller)
    late = request_intent(as_user(bidder), product).json()["payment_intent_id"]
    expire_without_stripe(product)
    second_chance.offer(product_id=product.pk, actor=seller)
    second_chance.accept(product_id=product.pk, bidder=rival)
    double.confirm(late)
    assert paid_event(client, double, late).flag == "surplus_order_expired"
    mine = Order.objects.get(product=product, buyer=rival)
    assert mine.status == "awaiting_payment"
    body = request_intent(as_user(rival), product).json()
    assert (body["amount"], body["payment_intent_id"] == late) == ("20.00", False)
    double.confirm(body["payment_intent_id"])
    paid_event(client, double, body["payment_intent_id"], "evt_2")
    mine.refresh_from_db()
    auction = Auction.objects.get(pk=product.pk)
    assert (mine.status, auction.paid_at, auction.payment_defaulted_at) == ("paid", mine.paid_at, None)
    assert Order.objects.get(product=product, buyer=bidder).status == "expired"
    assert broken_invariants() == []
