from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
import stripe

from stripe_double.tests.conftest import plain, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from stripe_double.tests.conftest import Receiver, Running


def test_events_arrive_signed_and_in_order(start: Callable[..., Running], receiver: Receiver) -> None:
    double = start(receiver.url)
    intent = double.paid()
    until(lambda: len(receiver.got) == 3)
    assert receiver.types() == ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]
    last = receiver.events()[-1]
    assert (last.data.object.id, last.data.object.status, last.api_version) == (
        intent.id, "succeeded", "2026-10-28.endive",
    )  # fmt: skip
    until(lambda: double.client().v1.events.retrieve(last.id).pending_webhooks == 0)
    shown = double.client().v1.events.retrieve(last.id)
    assert plain(last) | {"pending_webhooks": 0} == plain(shown)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(receiver.got[0][1] + b" ", receiver.got[0][0], "whsec_for_tests")


def test_delivery_is_retried_until_accepted(start: Callable[..., Running], receiver: Receiver) -> None:
    receiver.statuses = [500, 302, 404]
    double = start(receiver.url)
    double.intent()
    until(lambda: len(receiver.got) == 4)
    events = receiver.events()
    assert len({event.id for event in events}) == 1
    until(lambda: double.store.next_delivery() is None)
    assert len({body for _, body in receiver.got}) == 1


def test_event_can_be_resent(start: Callable[..., Running], receiver: Receiver) -> None:
    double = start(receiver.url)
    double.intent()
    first = until(lambda: receiver.events() if receiver.got else None)[0]
    assert double.act(f"events/{first.id}/resend").json() == {"event": first.id, "queued": True}
    until(lambda: len(receiver.got) == 2)
    assert receiver.got[0][1] == receiver.got[1][1]
    assert double.act("events/evt_none/resend").status_code == 404


def test_response_is_stored_before_its_event_is_sent(start: Callable[..., Running], receiver: Receiver) -> None:
    """The receiver sleeps on the event; the API answers meanwhile, and shows what the event is about."""
    receiver.held = threading.Event()
    double = start(receiver.url)
    intent = double.intent()
    until(lambda: receiver.got)
    assert receiver.events()[0].data.object.id == double.client().v1.payment_intents.retrieve(intent.id).id


def test_failed_request_emits_no_event(start: Callable[..., Running], receiver: Receiver) -> None:
    double = start(receiver.url)
    with pytest.raises(stripe.InvalidRequestError):
        double.intent(confirm=True)
    assert (double.events(), double.store.next_delivery()) == ([], None)


def test_events_can_be_filtered_by_type(double: Running) -> None:
    double.paid()
    listed = double.client().v1.events.list({"types": ["charge.succeeded", "payment_intent.succeeded"]}).data
    assert [event.type for event in listed] == ["payment_intent.succeeded", "charge.succeeded"]
    assert len(double.client().v1.events.list({"type": "payment_intent.created"}).data) == 1
