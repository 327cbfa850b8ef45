"""The admin action "Reprocess" of events: any number of times, with one effect."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry

from payments.models import OrderEvent, Payment, StripeEvent
from payments.services import webhooks
from payments.signals import payment_succeeded
from payments.tests.conftest import build_event, post_event
from tests import admin_pages
from tests.admin_pages import act, page
from tests.violations import find_violations

pytestmark = pytest.mark.django_db

SUCCEEDED = "payment_intent.succeeded"
FAILED = "payment_intent.payment_failed"


@pytest.fixture
def clerk():
    """Staff who may view and reprocess events."""
    return admin_pages.clerk("view_stripeevent", "change_stripeevent")


def reprocess(caller, *ids):
    """Run the action for events; return the page and the log entries."""
    answer = act(caller, StripeEvent, "reprocess", [StripeEvent(pk=pk) for pk in ids])
    assert answer.status_code == 200
    return answer.content.decode(), [entry.change_message for entry in LogEntry.objects.order_by("pk")]


def test_reprocess_waiting_event_processes_it(clerk, double, intent_id, order, payment_signals):
    StripeEvent.objects.create(id="evt_1", type=SUCCEEDED, payload=build_event(double.confirm(intent_id), SUCCEEDED))
    text, noted = reprocess(clerk, "evt_1")
    order.refresh_from_db()
    event = StripeEvent.objects.get()
    assert (order.status, event.attempts, event.processed_at is None, payment_signals) == (
        "paid",
        0,
        False,
        [("succeeded", order.pk)],
    )
    assert "evt_1: processed." in text
    assert noted == ["Reprocessed: processed."]
    assert LogEntry.objects.get().user == admin_pages.user(clerk)


def test_reprocess_processed_event_has_no_second_effect(client, clerk, double, intent_id, order, payment_signals):
    post_event(client, build_event(double.confirm(intent_id), SUCCEEDED))
    before = StripeEvent.objects.get()
    rows = list(OrderEvent.objects.values())
    reprocess(clerk, "evt_1")
    event = StripeEvent.objects.get()
    assert (event.processed_at, event.attempts, event.flag) == (before.processed_at, 0, "")
    assert (payment_signals, list(OrderEvent.objects.values())) == ([("succeeded", order.pk)], rows)


def test_reprocess_decline_is_announced_once(client, clerk, double, intent_id, order, payment_signals):
    double.confirm(intent_id, "pm_card_chargeDeclined")
    post_event(client, build_event(double.intent(intent_id), FAILED))
    reprocess(clerk, "evt_1")
    assert payment_signals == [("failed", order.pk)]
    assert OrderEvent.objects.filter(kind="payment_failed").count() == 1


def test_reprocess_event_of_intent_known_by_now_pays_the_order(client, clerk, double, order):
    intent_id = double.create(amount=1999)["id"]
    post_event(client, build_event(double.confirm(intent_id), SUCCEEDED))
    assert StripeEvent.objects.get().flag == "unknown_intent"
    Payment.objects.create(order=order, stripe_intent_id=intent_id, amount=order.total, currency="USD", status="open")
    reprocess(clerk, "evt_1")
    order.refresh_from_db()
    assert (order.status, StripeEvent.objects.get().flag) == ("paid", "")


def test_reprocess_shows_the_remaining_flag(client, clerk, stripe_unreachable):
    post_event(client, build_event({"id": "pi_other"}, SUCCEEDED))
    text, noted = reprocess(clerk, "evt_1")
    assert "evt_1: processed, flagged: unknown_intent." in text
    assert noted == ["Reprocessed: processed, flagged: unknown_intent."]


def test_reprocess_event_of_another_type_does_nothing(client, clerk, stripe_unreachable):
    post_event(client, build_event({"id": "cus_1"}, "customer.created"))
    assert "events of this type are ignored" in reprocess(clerk, "evt_1")[0]


def test_reprocess_event_of_the_other_mode_is_refused(client, clerk, double, intent_id, order):
    post_event(client, build_event(double.confirm(intent_id), SUCCEEDED, livemode=True))
    text, _ = reprocess(clerk, "evt_1")
    order.refresh_from_db()
    assert "of the other mode" in text
    assert (order.status, StripeEvent.objects.get().flag) == ("awaiting_payment", "wrong_mode")


def test_reprocess_stops_while_stripe_is_down(client, clerk, double, intent_id, order, settings):
    event = build_event(double.intent(intent_id), "payment_intent.processing")
    post_event(client, event)
    post_event(client, build_event({"id": "pi_other"}, SUCCEEDED, "evt_2"))
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    text, noted = reprocess(clerk, "evt_1", "evt_2")
    assert "evt_1: The payment provider is away." in text
    assert "Stopped. Not tried: 1." in text
    assert len(noted) == 1
    failed = StripeEvent.objects.get(pk="evt_1")
    assert (failed.attempts, failed.processed_at is None, failed.last_error) == (0, False, "")
    assert find_violations("payments").get("14 Stripe events are processed within an hour", []) == []


def test_reprocess_error_of_ours_is_shown_and_stored(clerk, double, intent_id, order):
    def fail(**_):
        raise RuntimeError("a receiver failed")

    StripeEvent.objects.create(id="evt_1", type=SUCCEEDED, payload=build_event(double.confirm(intent_id), SUCCEEDED))
    payment_succeeded.connect(fail)
    try:
        text, _ = reprocess(clerk, "evt_1")
    finally:
        payment_succeeded.disconnect(fail)
    order.refresh_from_db()
    event = StripeEvent.objects.get()
    assert "evt_1: failed (RuntimeError). See the server log." in text
    assert (order.status, event.last_error, event.processed_at) == (
        "awaiting_payment", "RuntimeError", None,
    )  # fmt: skip


def test_reprocess_without_permission_is_not_offered(client, double, intent_id, order):
    viewer = admin_pages.clerk("view_stripeevent")
    StripeEvent.objects.create(id="evt_1", type=SUCCEEDED, payload=build_event(double.confirm(intent_id), SUCCEEDED))
    assert 'value="reprocess"' not in viewer.get(page(StripeEvent)).content.decode()
    reprocess(viewer, "evt_1")
    assert StripeEvent.objects.get().attempts == 0


def test_reprocess_permission_allows_nothing_else(clerk, stripe_unreachable):
    StripeEvent.objects.create(id="evt_1", type="a.b", payload={})
    assert clerk.post(page(StripeEvent, "change", "evt_1"), {"flag": "x"}).status_code == 403
    assert clerk.post(page(StripeEvent, "delete", "evt_1"), {"post": "yes"}).status_code == 403


def test_reprocess_unknown_event_raises_not_found(db):
    from auctioncraft.core.errors import NotFound

    with pytest.raises(NotFound):
        webhooks.reprocess(event_id="evt_none")
