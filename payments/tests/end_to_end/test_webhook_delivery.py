"""The Stripe double delivers its events itself: duplicated, reordered, lost and resent, paused, secret rolled."""

from __future__ import annotations

import pytest
from django.core import mail

from payments.models import Payment, StripeEvent
from payments.tests.conftest import broken_invariants, statuses
from payments.tests.end_to_end.state_helpers import notified, send_notification_emails
from tests.servers import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.servers]

SUCCEEDED = "payment_intent.succeeded"


@pytest.fixture
def intent_id(delivering, buyer, product):
    """The open intent of `order`, at the double that delivers."""
    return buyer.pay(product).json()["payment_intent_id"]


def configure(delivering, **options):
    assert "error" not in delivering.double.post("/_double/webhooks", **options)


def wait_for_deliveries(delivering):
    wait_until(lambda: delivering.double.post("/_double/webhooks/flush", seconds=5).get("flushed"))


def test_every_delivery_ten_times_has_one_effect_and_one_receipt(delivering, intent_id, order, bidder):
    configure(delivering, doubled=9)
    delivering.double.confirm(intent_id)
    wait_for_deliveries(delivering)
    assert (statuses(order), notified("payment_succeeded", bidder)) == (("paid", "succeeded"), (1, 1))
    send_notification_emails()
    receipts = [sent for sent in mail.outbox if sent.to == [bidder.email] and "aid" in sent.subject]
    assert (len(receipts), broken_invariants()) == (1, [])


def test_deliveries_in_another_order_pay_the_order_once(delivering, intent_id, order, bidder):
    configure(delivering, reorder="true", window=0.3, seed=1)
    delivering.double.confirm(intent_id, "pm_card_chargeDeclined")
    delivering.double.confirm(intent_id)
    wait_for_deliveries(delivering)
    assert (statuses(order), Payment.objects.get().decline_code) == (("paid", "succeeded"), "")
    assert (notified("payment_succeeded", bidder), broken_invariants()) == ((1, 1), [])


def test_lost_delivery_that_stripe_resends_pays_the_order(delivering, intent_id, order):
    configure(delivering, drop=-1)
    delivering.double.confirm(intent_id)
    wait_for_deliveries(delivering)
    received = StripeEvent.objects.filter(type=SUCCEEDED)
    assert (statuses(order), received.exists()) == (("awaiting_payment", "open"), False)
    configure(delivering, reset="true")
    event = delivering.event(SUCCEEDED, intent_id)
    delivering.double.post(f"/_double/events/{event['id']}/resend")
    wait_for_deliveries(delivering)
    assert statuses(order) == ("paid", "succeeded")


def test_deliveries_paused_and_resumed_together_pay_the_order(delivering, intent_id, order):
    configure(delivering, pause="true")
    delivering.double.confirm(intent_id, "pm_card_threeDSecure2Required")
    delivering.double.post(f"/_double/payment_intents/{intent_id}/authenticate", outcome="succeed")
    assert not StripeEvent.objects.filter(type=SUCCEEDED).exists()
    configure(delivering, pause="false")
    wait_for_deliveries(delivering)
    assert statuses(order) == ("paid", "succeeded")


def test_secret_rolled_at_stripe_first_loses_no_event(delivering, intent_id, order):
    configure(delivering, secret="whsec_new", also="whsec_test")  # Stripe signs with both for up to a day
    delivering.double.confirm(intent_id)
    wait_for_deliveries(delivering)
    assert statuses(order) == ("paid", "succeeded")


def test_secret_rolled_here_first_loses_no_event(delivering, intent_id, order, settings):
    settings.STRIPE_WEBHOOK_SECRET, settings.STRIPE_WEBHOOK_SECRETS_OLD = "whsec_new", ["whsec_test"]
    delivering.double.confirm(intent_id)
    wait_for_deliveries(delivering)
    assert statuses(order) == ("paid", "succeeded")


def test_duplicates_reordering_and_a_rolled_secret_together_have_one_effect(delivering, intent_id, order, bidder):
    configure(delivering, doubled=4, reorder="true", window=0.3, seed=7, secret="whsec_new", also="whsec_test")
    delivering.double.confirm(intent_id, "pm_card_chargeDeclined")
    delivering.double.confirm(intent_id)
    delivering.double.post("/v1/refunds", payment_intent=intent_id, amount=999)
    wait_for_deliveries(delivering)
    order.refresh_from_db()
    assert (statuses(order), str(order.refunded)) == (("paid", "succeeded"), "9.990")
    assert (notified("payment_succeeded", bidder), notified("refund_issued", bidder)) == ((1, 1), (1, 1))
    assert (StripeEvent.objects.filter(processed_at=None).count(), broken_invariants()) == (0, [])
