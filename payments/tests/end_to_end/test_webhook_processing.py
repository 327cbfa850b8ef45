"""POST /api/stripe/webhook/ over HTTP, with the events that the Stripe double made: paid, ten at once, reversed."""

from __future__ import annotations

import pytest
from django.core import mail

from payments.models import StripeEvent
from payments.tests.conftest import broken_invariants, run_concurrently, statuses
from payments.tests.end_to_end.state_helpers import notified, read_flags, send_notification_emails

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.servers]

SUCCEEDED = "payment_intent.succeeded"


def test_checkout_and_success_event_pay_the_order(server, at_stripe, intent_id, order, buyer):
    at_stripe.double.confirm(intent_id)
    answer = server.deliver(at_stripe.event(SUCCEEDED, intent_id))
    assert (answer.status_code, answer.json()) == (200, {"received": True})
    assert (statuses(order), buyer.order(order)["status"]) == (("paid", "succeeded"), "paid")
    assert (read_flags(), broken_invariants()) == ([""], [])


def test_ten_concurrent_deliveries_of_one_event_have_one_effect_and_one_receipt(
    server, at_stripe, intent_id, order, bidder
):
    at_stripe.double.confirm(intent_id)
    event = at_stripe.event(SUCCEEDED, intent_id)
    assert run_concurrently(10, lambda: server.deliver(event).status_code) == [200] * 10
    assert (statuses(order), StripeEvent.objects.get().attempts) == (("paid", "succeeded"), 0)
    assert notified("payment_succeeded", bidder) == (1, 1)
    for _ in range(2):
        send_notification_emails()
    to_buyer = [sent.subject for sent in mail.outbox if sent.to == [bidder.email] and "aid" in sent.subject]
    assert len(to_buyer) == 1
    assert broken_invariants() == []


def test_ten_concurrent_events_of_one_success_have_one_effect(server, at_stripe, intent_id, order, bidder):
    at_stripe.double.confirm(intent_id)
    event, ids = at_stripe.event(SUCCEEDED, intent_id), iter(range(10))
    assert run_concurrently(10, lambda: server.deliver({**event, "id": f"evt_{next(ids)}"}).status_code) == [200] * 10
    assert (statuses(order), notified("payment_succeeded", bidder)) == (("paid", "succeeded"), (1, 1))
    assert (StripeEvent.objects.filter(processed_at=None).count(), read_flags()) == (0, [""] * 10)


def test_all_events_of_a_payment_in_reverse_order_pay_the_order(server, at_stripe, intent_id, order):
    at_stripe.double.confirm(intent_id, "pm_card_chargeDeclined")
    at_stripe.double.confirm(intent_id, "pm_card_threeDSecure2Required")
    at_stripe.double.post(f"/_double/payment_intents/{intent_id}/authenticate", outcome="succeed")
    events = at_stripe.events(intent_id)
    assert len(events) > 4
    for event in reversed(events):
        assert server.deliver(event).status_code == 200
    assert (statuses(order), set(read_flags()), broken_invariants()) == (("paid", "succeeded"), {""}, [])
