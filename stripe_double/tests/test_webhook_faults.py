from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import requests
import stripe

from stripe_double.tests.conftest import SECRET, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from stripe_double.tests.conftest import Receiver, Running

PAID = ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]


@pytest.fixture
def telling(start: Callable[..., Running], receiver: Receiver) -> Running:
    """A double that sends its events to `receiver`."""
    return start(receiver.url)


def turn(double: Running, **form: str) -> dict[str, Any]:
    answer = double.act("webhooks", **form)
    assert answer.status_code == 200, answer.text
    return answer.json()


def state_of(double: Running) -> dict[str, Any]:
    return requests.get(f"{double.url}/_double/webhooks", timeout=5).json()


def flush(double: Running, seconds: str = "15") -> None:
    answer = double.act("webhooks/flush", seconds=seconds)
    assert (answer.status_code, answer.json()["flushed"]) == (200, True)


def undelivered(double: Running) -> list[str]:
    return [event.type for event in double.client().v1.events.list({"delivery_success": False}).data[::-1]]


def test_no_switches_delivers_normally(telling: Running, receiver: Receiver) -> None:
    telling.paid()
    flush(telling)
    assert receiver.types() == PAID
    assert undelivered(telling) == []
    assert len(telling.client().v1.events.list({"delivery_success": True}).data) == 3
    assert state_of(telling)["deliveries"] == {"delivered": 3}


def test_doubled_sends_copies_of_each_event(telling: Running, receiver: Receiver) -> None:
    turn(telling, doubled="2")
    telling.paid()
    flush(telling)
    assert sorted(receiver.types()) == sorted(PAID * 3)
    assert len({event.id for event in receiver.events()}) == 3


def test_doubled_retries_by_the_first_copy(telling: Running, receiver: Receiver) -> None:
    receiver.statuses = [500, 500]
    turn(telling, doubled="1")
    telling.intent()
    flush(telling)
    assert len(receiver.got) == 4


def test_reorder_shuffles_events_within_the_window(telling: Running, receiver: Receiver) -> None:
    turn(telling, pause="true", reorder="true", window="0", seed="7")
    telling.paid()
    turn(telling, pause="false")
    flush(telling)
    assert sorted(receiver.types()) == sorted(PAID)
    assert receiver.types() != PAID


def test_reorder_is_deterministic_for_a_seed(telling: Running, receiver: Receiver) -> None:
    orders = []
    for _ in range(2):
        receiver.got.clear()
        turn(telling, pause="true", reorder="true", window="0", seed="3")
        for _ in range(3):
            telling.paid()
        turn(telling, pause="false")
        flush(telling)
        orders.append(receiver.types())
    assert orders[0] == orders[1] != PAID * 3


def test_reorder_collects_events_for_the_window(telling: Running, receiver: Receiver) -> None:
    turn(telling, reorder="true", window="600")
    telling.paid()
    assert telling.act("webhooks/flush", seconds="0.1").status_code == 408
    assert receiver.got == []
    turn(telling, window="0")
    flush(telling)
    assert len(receiver.got) == 3


def test_delay_postpones_events_until_over_or_reset(telling: Running, receiver: Receiver) -> None:
    turn(telling, delay="600")
    telling.intent()
    assert telling.act("webhooks/flush", seconds="0.1").status_code == 408
    assert (receiver.got, undelivered(telling)) == ([], ["payment_intent.created"])
    turn(telling, delay="0.01")
    flush(telling)
    assert len(receiver.got) == 1


def test_drop_loses_events_and_marks_them(telling: Running, receiver: Receiver) -> None:
    turn(telling, drop="2")
    telling.paid()
    flush(telling)
    assert receiver.types() == PAID[2:]
    assert undelivered(telling) == PAID[:2]
    state = state_of(telling)
    assert (state["drop"], state["deliveries"]) == (0, {"delivered": 1, "dropped": 2})
    lost = telling.client().v1.events.list({"delivery_success": False, "type": "charge.*"}).data[0]
    telling.act(f"events/{lost.id}/resend").raise_for_status()
    flush(telling)
    assert undelivered(telling) == PAID[:1]


def test_drop_all_loses_events_until_reset(telling: Running, receiver: Receiver) -> None:
    turn(telling, drop="-1")
    telling.paid()
    flush(telling)
    assert receiver.got == []
    turn(telling, drop="0")
    telling.intent()
    flush(telling)
    assert len(receiver.got) == 1


def test_event_being_retried_is_undelivered(telling: Running, receiver: Receiver) -> None:
    receiver.statuses = [500] * 4
    telling.intent()
    until(lambda: receiver.got)
    assert undelivered(telling) == ["payment_intent.created"]
    flush(telling)
    assert (len(receiver.got), undelivered(telling)) == (5, [])


def test_event_given_up_is_undelivered(telling: Running, receiver: Receiver) -> None:
    receiver.statuses = [500] * 2
    telling.double.deliverer.tries = 2
    telling.intent()
    flush(telling)
    assert (undelivered(telling), state_of(telling)["deliveries"]) == (["payment_intent.created"], {"failed": 1})


def test_pause_stops_deliveries_until_resumed(telling: Running, receiver: Receiver) -> None:
    turn(telling, pause="true")
    telling.paid()
    assert telling.act("webhooks/flush", seconds="0.1").status_code == 408
    assert receiver.got == []
    assert turn(telling, pause="false")["pause"] is False
    flush(telling)
    assert receiver.types() == PAID


def test_reset_restores_all_switches(telling: Running) -> None:
    fresh = turn(telling, reset="true")
    turn(telling, doubled="3", reorder="true", delay="9", drop="4", pause="true", seed="5", window="1")
    assert turn(telling, reset="true") == fresh
    assert turn(telling, reset="true", delay="2")["delay"] == 2


@pytest.mark.parametrize(
    "form",
    [
        {"doubled": "-1"},
        {"doubled": "101"},
        {"drop": "-2"},
        {"drop": "some"},
        {"delay": "nan"},
        {"delay": "601"},
        {"pause": "perhaps"},
        {"reset": "perhaps"},
        {"tripled": "1"},
        {"also": "whsec_old"},
        {"connect_secret": "whsec_new"},
    ],
)
def test_switch_invalid_is_refused_without_changes(telling: Running, form: dict[str, str]) -> None:
    before = state_of(telling)
    assert telling.act("webhooks", **({"seed": "9"} | form)).status_code == 400
    assert state_of(telling) == before


def test_rolled_secret_signs_with_both_until_expiry(telling: Running, receiver: Receiver) -> None:
    def opened_by(secret: str) -> bool:
        header, body = receiver.got[-1]
        try:
            stripe.Webhook.construct_event(body, header, secret)
        except stripe.SignatureVerificationError:
            return False
        return True

    for form, signatures, openers in (
        ({}, 1, [SECRET]),
        ({"secret": "whsec_new", "also": SECRET}, 2, [SECRET, "whsec_new"]),
        ({"secret": "whsec_new"}, 1, ["whsec_new"]),
    ):
        state = turn(telling, **form)
        telling.intent()
        flush(telling)
        assert [secret for secret in (SECRET, "whsec_new") if opened_by(secret)] == openers
        assert receiver.got[-1][0].count("v1=") == signatures == state["platform"]["secrets"]
        assert "whsec" not in json.dumps(state)


def test_switches_without_webhook_are_refused(double: Running) -> None:
    double.paid()
    assert double.act("webhooks", doubled="1").status_code == 409
    assert double.act("webhooks/flush").status_code == 200
    assert undelivered(double) == []
