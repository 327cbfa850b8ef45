"""POST /api/stripe/webhook/: our handler fails, Stripe is away for the re-read; Stripe, the sweep, staff try again."""

from __future__ import annotations

from datetime import timedelta

import pytest
import requests
from django.db import OperationalError
from django.db.models import F

from payments.models import OrderEvent, StripeEvent
from payments.services import webhooks
from payments.signals import payment_succeeded
from payments.tests.conftest import broken_invariants, build_event, run_concurrently, statuses
from payments.tests.end_to_end.state_helpers import notified
from tests import admin_pages

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.servers]

SUCCEEDED = "payment_intent.succeeded"


@pytest.fixture
def fault():
    """Make whoever hears of a success fail, until the test clears it."""
    armed = [RuntimeError("a listener fell over")]

    def fail(**_):
        if armed:
            raise armed[0]

    payment_succeeded.connect(fail)
    yield armed
    payment_succeeded.disconnect(fail)


@pytest.fixture
def success(at_stripe, intent_id):
    """The event of a payment that we were not told of yet."""
    at_stripe.double.confirm(intent_id)
    return at_stripe.event(SUCCEEDED, intent_id)


def grow_old(seconds=21):
    StripeEvent.objects.update(received_at=F("received_at") - timedelta(seconds=seconds))


def test_a_handler_that_fails_is_500_in_the_one_shape(server, success, fault):
    answer = server.deliver(success)
    assert (answer.status_code, answer.json()["code"]) == (500, "server_error")
    assert "fell over" not in answer.text


def test_what_a_failed_handler_wrote_is_rolled_back(server, success, order, fault, bidder):
    known = OrderEvent.objects.count()
    server.deliver(success)
    assert (statuses(order), OrderEvent.objects.count()) == (("awaiting_payment", "open"), known)
    assert (notified("payment_succeeded", bidder), broken_invariants()) == ((0, 0), [])


def test_the_failure_is_kept_on_the_event(server, success, fault):
    for tries in (1, 2):
        server.deliver(success)
        event = StripeEvent.objects.get()
        assert (event.attempts, event.error, event.processed_at) == (tries, "RuntimeError: a listener fell over", None)


def test_stripes_next_delivery_makes_up_for_it(server, success, order, fault, bidder):
    server.deliver(success)
    fault.clear()
    assert server.deliver(success).status_code == 200
    event = StripeEvent.objects.get()
    assert (statuses(order), event.error, event.attempts) == (("paid", "succeeded"), "", 2)
    assert notified("payment_succeeded", bidder) == (1, 1)


def test_the_sweep_makes_up_for_it(server, success, order, fault, bidder):
    server.deliver(success)
    fault.clear()
    grow_old()
    assert (webhooks.process_pending(), statuses(order)) == (1, ("paid", "succeeded"))
    assert notified("payment_succeeded", bidder) == (1, 1)


def test_the_sweep_and_stripes_next_delivery_at_once_have_one_effect(server, success, order, fault, bidder):
    server.deliver(success)
    fault.clear()
    grow_old()
    turns = iter((webhooks.process_pending, lambda: server.deliver(success).status_code))

    def take_turns():
        return next(turns)()

    run_concurrently(2, take_turns)
    assert (statuses(order), notified("payment_succeeded", bidder)) == (("paid", "succeeded"), (1, 1))


def test_staff_make_up_for_it_in_the_admin(server, success, order, fault, client):
    server.deliver(success)
    fault.clear()
    clerk = requests.Session()
    signed_in = admin_pages.operator()
    clerk.cookies.update({name: morsel.value for name, morsel in signed_in.cookies.items()})
    page = f"{server.url}/admin/payments/stripeevent/"
    clerk.get(page, timeout=30)
    form = {"action": "reprocess", "_selected_action": success["id"], "csrfmiddlewaretoken": clerk.cookies["csrftoken"]}
    answer = clerk.post(page, data=form, headers={"Referer": page}, timeout=30)
    assert answer.status_code == 200
    assert f"{success['id']}: done." in answer.text
    assert statuses(order) == ("paid", "succeeded")


@pytest.mark.parametrize("kind", ["500", "429", "reset", "timeout_after_create"])
def test_stripe_failing_for_the_re_read_is_503_kept_and_made_up_for(server, at_stripe, intent_id, order, kind):
    at_stripe.double.confirm(intent_id)
    event = build_event({"id": intent_id}, "payment_intent.processing")
    at_stripe.arm(kind, method="GET")
    answer = server.deliver(event)
    assert (answer.status_code, answer.json()["code"]) == (503, "stripe_unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    kept = StripeEvent.objects.get()
    assert (kept.error.startswith("StripeUnavailable: "), kept.processed_at) == (True, None)
    assert statuses(order) == ("awaiting_payment", "open")
    assert (server.deliver(event).status_code, statuses(order)) == (200, ("paid", "succeeded"))


def test_stripe_gone_for_the_re_read_is_503_and_the_sweep_makes_up_for_it(
    server, at_stripe, intent_id, order, settings
):
    at_stripe.double.confirm(intent_id)
    here, settings.STRIPE_API_BASE = settings.STRIPE_API_BASE, "http://127.0.0.1:9"
    assert server.deliver(build_event({"id": intent_id}, "payment_intent.processing")).status_code == 503
    settings.STRIPE_API_BASE = here
    grow_old()
    assert (webhooks.process_pending(), statuses(order)) == (1, ("paid", "succeeded"))


def test_a_success_needs_no_stripe(server, success, order, settings):
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    assert (server.deliver(success).status_code, statuses(order)) == (200, ("paid", "succeeded"))


def test_a_database_that_gives_way_is_503_kept_and_made_up_for(server, success, order, fault):
    fault[0] = OperationalError("canceling statement due to lock timeout")
    answer = server.deliver(success)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert statuses(order) == ("awaiting_payment", "open")
    fault.clear()
    assert (server.deliver(success).status_code, statuses(order)) == (200, ("paid", "succeeded"))


def test_an_event_that_was_kept_before_a_crash_is_swept(success, order):
    StripeEvent.objects.create(id=success["id"], type=SUCCEEDED, payload=success)
    grow_old(11)
    assert (webhooks.process_pending(), statuses(order)) == (1, ("paid", "succeeded"))


def test_events_that_keep_failing_do_not_hold_up_others(server, success, order, fault):
    server.deliver(success)
    StripeEvent.objects.create(id="evt_2", type="customer.created", payload={})
    grow_old()
    assert webhooks.process_pending() == 1
    assert StripeEvent.objects.get(pk="evt_2").processed_at is not None
