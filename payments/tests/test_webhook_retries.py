"""An event that could not be processed is stored and retried: by Stripe, by the periodic job."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from threading import Barrier, BrokenBarrierError

import pytest
from django.db import IntegrityError, OperationalError, connection
from django.db.models import F, QuerySet

from payments import stripe_gateway
from payments.models import OrderEvent, StripeEvent
from payments.services import webhooks
from payments.tasks import process_events
from payments.tests.conftest import (
    build_event,
    post_event,
    request_intent,
    run_concurrently,
    statuses,
    total_delay,
)

pytestmark = [pytest.mark.sqlite, pytest.mark.django_db]

SUCCEEDED = "payment_intent.succeeded"


@pytest.fixture
def paid_event(double, winner, product):
    """The event of a success that was not delivered yet."""
    intent_id = request_intent(winner, product).json()["payment_intent_id"]
    return build_event(double.confirm(intent_id), SUCCEEDED)


def store(paid_event):
    """Store an event as a delivery does whose process is killed then."""
    event = stripe_gateway.Event(id="evt_1", type=SUCCEEDED, livemode=False, payload=paid_event)
    webhooks.store(event=event, found_by=StripeEvent.FoundBy.WEBHOOK)


def age_events(seconds):
    StripeEvent.objects.update(next_attempt_at=F("next_attempt_at") - timedelta(seconds=seconds))


def test_event_whose_handler_fails_is_500_rolled_back_and_stored(client, paid_event, order, fault):
    history = OrderEvent.objects.count()
    answer = post_event(client, paid_event)
    assert (answer.status_code, answer.json()) == (
        500,
        {"code": "server_error", "detail": "Something went wrong on our side. It was logged."},
    )
    event = StripeEvent.objects.get()
    assert (event.attempts, event.last_error, event.processed_at) == (0, "RuntimeError", None)
    assert (statuses(order), OrderEvent.objects.count()) == (("awaiting_payment", "open"), history)


def test_failed_event_is_processed_at_the_next_delivery(client, paid_event, order, fault):
    post_event(client, paid_event)
    fault.clear()
    assert post_event(client, paid_event).status_code == 200
    event = StripeEvent.objects.get()
    assert (event.attempts, event.last_error, statuses(order)) == (0, "", ("paid", "succeeded"))


def test_failed_event_is_processed_by_the_job_once(client, paid_event, order, fault):
    post_event(client, paid_event)
    fault.clear()
    assert webhooks.process_due() == 0  # too early
    age_events(21)
    process_events()
    assert (statuses(order), StripeEvent.objects.get().attempts) == (("paid", "succeeded"), 1)
    assert webhooks.process_due() == 0


def test_job_continues_after_an_event_that_still_fails(client, paid_event, order, fault):
    post_event(client, paid_event)
    StripeEvent.objects.create(id="evt_2", type="customer.created", payload={})
    age_events(21)
    assert webhooks.process_due() == 1
    assert list(StripeEvent.objects.order_by("pk").values_list("pk", "attempts")) == [("evt_1", 1), ("evt_2", 1)]


def test_job_skips_an_event_that_is_being_processed(paid_event):
    store(paid_event)
    assert webhooks.process_due() == 0


def test_job_processes_an_event_stored_before_a_crash(order, paid_event):
    store(paid_event)
    age_events(121)
    assert (webhooks.process_due(), statuses(order)) == (1, ("paid", "succeeded"))


def test_job_attempts_an_event_for_about_four_days():
    totals = [total_delay(webhooks.POLICY, pk=f"evt_{number}") for number in range(100)]
    assert timedelta(days=3, hours=12) < min(totals)
    assert max(totals) < timedelta(days=5)


def test_job_gives_up_after_the_last_attempt_and_stripe_can_still_deliver(client, paid_event, order):
    StripeEvent.objects.create(id="evt_1", type=SUCCEEDED, payload=paid_event, attempts=webhooks.POLICY.max_attempts)
    age_events(30 * 86400)
    assert (webhooks.process_due(), StripeEvent.objects.get().next_attempt_at) == (0, None)
    assert (post_event(client, paid_event).status_code, statuses(order)) == (200, ("paid", "succeeded"))


def test_event_is_503_and_stored_when_stripe_is_unreachable(client, paid_event, order, settings):
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    answer = post_event(client, {**paid_event, "type": "payment_intent.processing"})
    assert (answer.status_code, answer.json()["code"], answer["Retry-After"]) == (503, "stripe_unavailable", "2")
    event = StripeEvent.objects.get()
    assert (event.attempts, event.processed_at, event.last_error) == (0, None, "stripe_unavailable")
    assert statuses(order) == ("awaiting_payment", "open")


@pytest.mark.parametrize("kind", ["500", "429", "reset", "timeout_after_create"])
def test_event_is_503_while_stripe_fails_and_processed_at_the_next_delivery(client, double, paid_event, order, kind):
    double.fail_next(kind, method="GET")
    event = {**paid_event, "type": "payment_intent.processing"}
    answer = post_event(client, event)
    assert (answer.status_code, answer.json()["code"]) == (503, "stripe_unavailable")
    stored = StripeEvent.objects.get()
    assert (stored.last_error, stored.processed_at) == ("stripe_unavailable", None)
    assert statuses(order) == ("awaiting_payment", "open")
    assert (post_event(client, event).status_code, statuses(order)) == (200, ("paid", "succeeded"))


@pytest.mark.django_db(transaction=True)
def test_job_and_delivery_of_one_event_at_once_have_one_effect(client, paid_event, order, fault, payment_signals):
    post_event(client, paid_event)
    fault.clear()
    age_events(21)
    turns = iter((webhooks.process_due, lambda: post_event(client, paid_event).status_code))
    run_concurrently(2, lambda: next(turns)())  # noqa: PLW0108 (each thread takes its own)
    assert (statuses(order), payment_signals) == (("paid", "succeeded"), [("succeeded", order.pk)])


def test_event_is_503_and_stored_when_the_database_times_out(client, paid_event, order, fault):
    fault[0] = OperationalError("canceling statement due to lock timeout")
    assert post_event(client, paid_event).status_code == 503
    assert statuses(order) == ("awaiting_payment", "open")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("locked", "ends"), [(True, ["done", "done"]), (False, ["IntegrityError", "done"])])
def test_two_concurrent_events_pay_once_because_of_row_locks(paid_event, order, monkeypatch, locked, ends):
    """Without row locks both would pay the order; only the constraint of its payout stops the second."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite's lock is the whole transaction (BEGIN IMMEDIATE)")
    meet, mode = Barrier(2), stripe_gateway.is_live_mode

    def both_have_looked():
        # With locks the second waits for the first one's commit, so they never meet here.
        with suppress(BrokenBarrierError):
            meet.wait(0.5)
        return mode()

    def act():
        try:
            webhooks.process(event_id=f"evt_{next(numbers)}")
        except IntegrityError as error:
            return type(error).__name__
        return "done"

    monkeypatch.setattr("payments.services.payment_sync.stripe_gateway.is_live_mode", both_have_looked)
    for number in (1, 2):
        StripeEvent.objects.create(id=f"evt_{number}", type=SUCCEEDED, payload=paid_event)
    if not locked:
        monkeypatch.setattr(QuerySet, "select_for_update", lambda self, **_: self)
    numbers = iter((1, 2))
    assert sorted(run_concurrently(2, act)) == ends
    assert statuses(order) == ("paid", "succeeded")
