"""Stripe delivers by itself: doubled, reordered, delayed, dropped and sent again, while its secret is rolled."""

from __future__ import annotations

import pytest
from django.core import mail

from payments.models import Payment, StripeEvent
from payments.tests.conftest import broken_invariants, statuses
from payments.tests.end_to_end.state_helpers import notified, send_due_emails
from tests.servers import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.servers]

SUCCEEDED = "payment_intent.succeeded"


@pytest.fixture
def intent_id(delivering, buyer, product):
    """The live intent of `order`, at the Stripe that delivers."""
    return buyer.pay(product).json()["payment_intent_id"]


def switch(delivering, **switches):
    assert "error" not in delivering.double.post("/_double/webhooks", **switches)


def delivered(delivering):
    """Wait until nothing is on its way any more."""
    wait_until(lambda: delivering.double.post("/_double/webhooks/flush", seconds=5).get("flushed"))


def test_every_delivery_ten_times_has_one_effect_and_one_receipt(delivering, intent_id, order, bidder):
    switch(delivering, doubled=9)
    delivering.double.confirm(intent_id)
    delivered(delivering)
    assert (statuses(order), notified("payment_succeeded", bidder)) == (("paid", "succeeded"), (1, 1))
    send_due_emails()
    receipts = [sent for sent in mail.outbox if sent.to == [bidder.email] and "aid" in sent.subject]
    assert (len(receipts), broken_invariants()) == (1, [])


@pytest.mark.parametrize("seed", range(3))
def test_deliveries_in_another_order_end_the_same(delivering, intent_id, order, bidder, seed):
    switch(delivering, reorder="true", window=1, seed=seed)
    delivering.double.confirm(intent_id, "pm_card_chargeDeclined")
    delivering.double.confirm(intent_id)
    delivered(delivering)
    assert (statuses(order), Payment.objects.get().last_error) == (("paid", "succeeded"), "")
    assert (notified("payment_succeeded", bidder), broken_invariants()) == ((1, 1), [])


def test_a_delay_only_delays(delivering, intent_id, order, buyer):
    switch(delivering, delay=1)
    delivering.double.confirm(intent_id)
    assert buyer.order(order)["status"] == "awaiting_payment"
    delivered(delivering)
    assert buyer.order(order)["status"] == "paid"


def test_a_lost_delivery_is_made_up_for_when_stripe_sends_it_again(delivering, intent_id, order):
    switch(delivering, drop=-1)
    delivering.double.confirm(intent_id)
    delivered(delivering)
    assert (statuses(order), StripeEvent.objects.filter(type=SUCCEEDED).exists()) == (
        ("awaiting_payment", "open"),
        False,
    )
    switch(delivering, reset="true")
    event = delivering.event(SUCCEEDED, intent_id)
    delivering.double.post(f"/_double/events/{event['id']}/resend")
    delivered(delivering)
    assert statuses(order) == ("paid", "succeeded")


def test_deliveries_held_back_while_we_were_away_are_taken_in_at_once(delivering, intent_id, order):
    switch(delivering, pause="true")
    delivering.double.confirm(intent_id, "pm_card_threeDSecure2Required")
    delivering.double.post(f"/_double/payment_intents/{intent_id}/authenticate", outcome="succeed")
    assert not StripeEvent.objects.filter(type=SUCCEEDED).exists()
    switch(delivering, pause="false")
    delivered(delivering)
    assert statuses(order) == ("paid", "succeeded")


def test_a_secret_rolled_at_stripe_first_loses_nothing(delivering, intent_id, order):
    switch(delivering, secret="whsec_new", also="whsec_test")  # signed with both, as Stripe does for up to a day
    delivering.double.confirm(intent_id)
    delivered(delivering)
    assert statuses(order) == ("paid", "succeeded")


def test_a_secret_rolled_here_first_loses_nothing(delivering, intent_id, order, settings):
    settings.STRIPE_WEBHOOK_SECRET, settings.STRIPE_WEBHOOK_SECRETS_OLD = "whsec_new", ["whsec_test"]
    delivering.double.confirm(intent_id)
    delivered(delivering)
    assert statuses(order) == ("paid", "succeeded")


def test_everything_wrong_at_once_ends_the_same(delivering, intent_id, order, bidder):
    switch(delivering, doubled=4, reorder="true", window=0.5, seed=7, secret="whsec_new", also="whsec_test")
    delivering.double.confirm(intent_id, "pm_card_chargeDeclined")
    delivering.double.confirm(intent_id)
    delivering.double.post("/v1/refunds", payment_intent=intent_id, amount=999)
    delivered(delivering)
    order.refresh_from_db()
    assert (statuses(order), str(order.refunded)) == (("paid", "succeeded"), "9.990")
    assert (notified("payment_succeeded", bidder), notified("refund_issued", bidder)) == ((1, 1), (1, 1))
    assert (StripeEvent.objects.filter(processed_at=None).count(), broken_invariants()) == (0, [])
