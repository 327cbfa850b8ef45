"""A delivery that we could not act on is kept, and acted on later."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from threading import Barrier, BrokenBarrierError

import pytest
from django.db import IntegrityError, OperationalError, connection
from django.db.models import F, QuerySet

from payments import stripe_gateway
from payments.models import Payment, StripeEvent
from payments.services import webhooks
from payments.signals import payment_succeeded
from payments.tasks import process_events
from payments.tests.conftest import build_event, post_event, request_intent, run_concurrently

pytestmark = pytest.mark.django_db(transaction=True)

SUCCEEDED = "payment_intent.succeeded"


@pytest.fixture
def paid_event(double, winner, product):
    """The event of a success that we were not told of yet."""
    intent_id = request_intent(winner, product).json()["payment_intent_id"]
    return build_event(double.confirm(intent_id), SUCCEEDED)


@pytest.fixture
def fault(client):
    """Make whoever listens to a success fail, until the test clears it."""
    client.raise_request_exception = False  # a 500 as Stripe would see it
    armed = [RuntimeError("a listener fell over")]

    def fail(**_):
        if armed:
            raise armed[0]

    payment_succeeded.connect(fail)
    yield armed
    payment_succeeded.disconnect(fail)


def grow_old(seconds):
    StripeEvent.objects.update(received_at=F("received_at") - timedelta(seconds=seconds))


def states(order):
    order.refresh_from_db()
    return order.status, Payment.objects.get().status


def test_a_handler_that_fails_is_500_rolled_back_and_kept(client, paid_event, order, fault):
    answer = post_event(client, paid_event)
    assert (answer.status_code, answer.json()) == (
        500,
        {"code": "server_error", "detail": "Something went wrong on our side. It was logged."},
    )
    event = StripeEvent.objects.get()
    assert (event.attempts, event.error, event.processed_at) == (1, "RuntimeError: a listener fell over", None)
    assert states(order) == ("awaiting_payment", "open")


def test_stripes_next_delivery_makes_up_for_it(client, paid_event, order, fault):
    post_event(client, paid_event)
    fault.clear()
    assert post_event(client, paid_event).status_code == 200
    event = StripeEvent.objects.get()
    assert (event.attempts, event.error, states(order)) == (2, "", ("paid", "succeeded"))


def test_the_sweep_makes_up_for_it(client, paid_event, order, fault):
    post_event(client, paid_event)
    fault.clear()
    assert webhooks.process_pending() == 0  # too early
    grow_old(21)
    process_events()
    assert (states(order), StripeEvent.objects.get().attempts) == (("paid", "succeeded"), 2)
    assert webhooks.process_pending() == 0


def test_the_sweep_goes_on_past_an_event_that_still_fails(client, paid_event, order, fault):
    post_event(client, paid_event)
    StripeEvent.objects.create(id="evt_2", type="customer.created", payload={})
    grow_old(21)
    assert webhooks.process_pending() == 1
    assert list(StripeEvent.objects.order_by("pk").values_list("pk", "attempts")) == [("evt_1", 2), ("evt_2", 1)]


def test_the_sweep_leaves_a_delivery_alone_that_is_being_acted_on(paid_event):
    StripeEvent.objects.create(id="evt_1", type=SUCCEEDED, payload=paid_event)
    assert webhooks.process_pending() == 0


def test_an_event_that_was_kept_before_a_crash_is_swept(order, paid_event):
    StripeEvent.objects.create(id="evt_1", type=SUCCEEDED, payload=paid_event)
    grow_old(11)
    assert (webhooks.process_pending(), states(order)) == (1, ("paid", "succeeded"))


def test_the_sweep_gives_up_after_a_week_and_stripe_can_still_try(client, paid_event, order):
    StripeEvent.objects.create(id="evt_1", type=SUCCEEDED, payload=paid_event, attempts=16)
    grow_old(30 * 86400)
    assert webhooks.process_pending() == 0
    assert (post_event(client, paid_event).status_code, states(order)) == (200, ("paid", "succeeded"))


def test_stripe_away_for_the_re_read_is_503_and_kept(client, paid_event, order, settings):
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    answer = post_event(client, {**paid_event, "type": "payment_intent.processing"})
    assert (answer.status_code, answer.json()["code"], answer["Retry-After"]) == (503, "stripe_unavailable", "2")
    event = StripeEvent.objects.get()
    assert (event.attempts, event.processed_at) == (1, None)
    assert event.error.startswith("StripeUnavailable: ")
    assert states(order) == ("awaiting_payment", "open")


def test_a_lock_that_is_not_to_be_had_is_503_and_kept(client, paid_event, order, fault):
    fault[0] = OperationalError("canceling statement due to lock timeout")
    assert post_event(client, paid_event).status_code == 503
    assert states(order) == ("awaiting_payment", "open")


def test_ten_deliveries_at_once_have_one_effect(client, paid_event, order):
    heard = []

    def listen(order, **_):
        heard.append(order.pk)

    payment_succeeded.connect(listen)
    try:
        answers = run_concurrently(10, lambda: post_event(client, paid_event).status_code)
    finally:
        payment_succeeded.disconnect(listen)
    event = StripeEvent.objects.get()
    assert (answers, heard, event.attempts) == ([200] * 10, [order.pk], 1)
    assert states(order) == ("paid", "succeeded")


@pytest.mark.parametrize(("locked", "ends"), [(True, ["done", "done"]), (False, ["IntegrityError", "done"])])
def test_it_is_the_locks_that_make_two_events_one_effect(paid_event, order, monkeypatch, locked, ends):
    """Without them both would pay the order, and the constraint of its payout is all that stops the second."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite's lock is the whole transaction (BEGIN IMMEDIATE)")
    meet, mode = Barrier(2), stripe_gateway.is_live_mode

    def both_have_looked():
        # With the locks the second waits for the first one's commit, so they never meet here.
        with suppress(BrokenBarrierError):
            meet.wait(1)
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
    assert states(order) == ("paid", "succeeded")


def test_ten_events_of_one_success_at_once_have_one_effect(client, paid_event, order):
    ids = iter(range(10))
    answers = run_concurrently(10, lambda: post_event(client, {**paid_event, "id": f"evt_{next(ids)}"}).status_code)
    assert (answers, StripeEvent.objects.exclude(processed_at=None).count()) == ([200] * 10, 10)
    assert states(order) == ("paid", "succeeded")
