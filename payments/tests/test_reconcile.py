"""Reconciliation of PaymentIntents and events: what is fixed and what is reported."""

from __future__ import annotations

from datetime import timedelta

import pytest

from auctioncraft.core import clock
from payments.models import OrderEvent, Payment, Reconciliation, StripeEvent
from payments.services.reconciliation import reconcile
from payments.tests.conftest import broken_invariants, post_event, request_intent, statuses
from payments.tests.reconciliation_helpers import at_stripe, count_fixed, paid, sums, texts

__all__ = ["paid"]

pytestmark = pytest.mark.django_db


def test_reconcile_pays_an_order_whose_event_was_lost(double, intent_id, order):
    double.confirm(intent_id)
    found = reconcile()
    assert (statuses(order), count_fixed(found, "payments"), found.differences) == (("paid", "succeeded"), 1, [])
    assert sums(found) == {"charge": ("19.99", "19.99")}
    assert broken_invariants() == []


def test_reconcile_requests_an_older_intent_by_id(double, intent_id, order):
    double.confirm(intent_id)
    Reconciliation.objects.create(
        since=clock.now(), started_at=clock.now() + timedelta(hours=2), finished_at=clock.now()
    )
    found = reconcile()
    assert (statuses(order), found.counts["intents"]) == (("paid", "succeeded"), 1)


def test_reconcile_marks_an_intent_canceled_at_stripe(double, intent_id, order):
    double.cancel(intent_id)
    found = reconcile()
    assert (statuses(order), count_fixed(found, "payments")) == (("awaiting_payment", "canceled"), 1)
    assert found.differences == []


def test_reconcile_cancels_at_stripe_an_intent_canceled_here(double, intent_id, order):
    Payment.objects.update(status="canceled")
    found = reconcile()
    assert (found.counts["intents_canceled"], double.intent(intent_id)["status"]) == (1, "canceled")
    assert found.differences == []


def test_reconcile_reports_an_intent_unknown_at_stripe(double, intent_id, order):
    Payment.objects.update(stripe_intent_id="pi_gone")
    found = reconcile()
    assert statuses(order) == ("awaiting_payment", "open")
    assert {"text": f"payment {order.payments.get().pk} may still be paid, and Stripe knows no such intent"} | {
        "ids": ["pi_gone"]
    } in found.differences


def forgotten(order):
    """Forget the intent's id, as after a crash between Stripe's answer and our commit."""
    Payment.objects.filter(order=order).update(stripe_intent_id=None, status="creating")


def test_reconcile_stores_an_intent_id_that_was_never_received(double, intent_id, order):
    forgotten(order)
    found = reconcile()
    assert (statuses(order), order.payments.get().stripe_intent_id) == (("awaiting_payment", "open"), intent_id)
    assert (count_fixed(found, "payments"), found.differences) == (1, [])


def test_reconcile_pays_with_an_intent_id_that_was_never_received(double, intent_id, order):
    double.confirm(intent_id)
    forgotten(order)
    found = reconcile()
    assert (statuses(order), found.differences) == (("paid", "succeeded"), [])
    assert sums(found) == {"charge": ("19.99", "19.99")}


def test_reconcile_creates_an_intent_that_never_reached_stripe_with_its_key(
    double, stripe_unreachable, winner, product, order, settings
):
    assert request_intent(winner, product).status_code == 503
    settings.STRIPE_API_BASE = double.url
    payment = order.payments.get()
    assert reconcile().differences == []
    assert statuses(order) == ("awaiting_payment", "creating")  # the request may still be running
    Payment.objects.update(created_at=clock.now() - timedelta(minutes=3))
    found = reconcile()
    assert (statuses(order), count_fixed(found, "payments"), len(double.intents())) == (
        ("awaiting_payment", "open"),
        1,
        1,
    )
    assert order.payments.get().idempotency_key == payment.idempotency_key


def test_reconcile_cancels_a_second_intent_of_a_payment(double, intent_id, order):
    payment = order.payments.get()
    metadata = {"order": order.pk, "product": order.product_id, "payment": payment.pk}
    stray = double.create(**{f"metadata[{name}]": value for name, value in metadata.items()})["id"]
    found = reconcile()
    assert (double.intent(stray)["status"], found.counts["intents_canceled"]) == ("canceled", 1)
    assert (statuses(order), double.intent(intent_id)["status"]) == (
        ("awaiting_payment", "open"),
        "requires_payment_method",
    )
    assert found.differences == []


def test_reconcile_reports_a_paid_second_intent(double, intent_id, order):
    payment = order.payments.get()
    metadata = {"order": order.pk, "product": order.product_id, "payment": payment.pk}
    stray = double.create(**{f"metadata[{name}]": value for name, value in metadata.items()})["id"]
    double.confirm(stray)
    found = reconcile()
    assert f"an intent for payment {payment.pk} is succeeded, and the payment has {intent_id}" in texts(found)
    assert "charge of 19.99 USD at Stripe, here nothing" in texts(found)
    assert sums(found) == {"charge": ("0.00", "19.99")}
    assert statuses(order) == ("awaiting_payment", "open")


def test_reconcile_ignores_foreign_intents_until_they_are_paid(double):
    unpaid, bought = (double.create()["id"] for _ in range(2))
    double.confirm(bought)
    found = reconcile()
    assert (found.counts["intents_of_others"], double.intent(unpaid)["status"]) == (2, "requires_payment_method")
    assert texts(found) == ["charge of 19.99 USD at Stripe, here nothing"]
    assert bought in found.differences[0]["ids"]


def test_reconcile_imports_and_processes_a_lost_event(double, intent_id, order):
    double.confirm(intent_id, "pm_card_visa_chargeDeclined")
    found = reconcile()
    taken = StripeEvent.objects.get(type="payment_intent.payment_failed")
    assert (taken.found_by, taken.processed_at is not None, taken.attempts) == ("reconciliation", True, 0)
    assert found.counts["events_imported"] == StripeEvent.objects.count()
    assert OrderEvent.objects.filter(kind="payment_failed").count() == 1
    assert reconcile().counts.get("events_imported") is None
    assert "client_secret" not in str(taken.payload).replace("'client_secret': None", "")


def test_reconcile_leaves_recent_events_to_the_webhook(client, double, intent_id, order):
    double.confirm(intent_id, "pm_card_visa_chargeDeclined")
    reconcile()
    for event in at_stripe(double, "/v1/events", limit=100)["data"]:
        assert post_event(client, event).status_code == 200
    assert OrderEvent.objects.filter(kind="payment_failed").count() == 1


def test_reconcile_reports_an_event_that_cannot_be_processed(double, intent_id, order, monkeypatch):
    def fail(*_, **__):
        raise ValueError

    double.confirm(intent_id)
    with monkeypatch.context() as broken_code:
        broken_code.setattr("payments.services.payment_sync.apply_event", fail)
        broken_code.setattr("payments.services.webhooks.HANDLERS", _with(fail))
        found = reconcile()
    event = StripeEvent.objects.get(type="payment_intent.succeeded")
    assert (event.processed_at, event.attempts) == (None, 0)
    assert texts(found) == [f"event {event.pk} (payment_intent.succeeded) was not processed: ValueError"]
    assert statuses(order) == ("paid", "succeeded")  # found by reading the intent


def _with(apply):
    from payments.services.event_handlers import HANDLERS, Handler

    return {**HANDLERS, "payment_intent.succeeded": Handler(read=lambda event: event, apply=apply)}


def test_reconcile_counts_flagged_events(double, paid):
    StripeEvent.objects.update(flag="surplus")
    assert reconcile().counts["flagged: surplus"] == 1
