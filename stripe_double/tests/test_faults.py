from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests
import stripe

if TYPE_CHECKING:
    from stripe_double.tests.conftest import Running

KEY = ("sk_test_double", "")
NEW = {"amount": 1999, "currency": "usd"}


def statuses(double: Running, times: int) -> list[int]:
    url = f"{double.url}/v1/payment_intents"
    return [requests.post(url, NEW, auth=KEY, timeout=5).status_code for _ in range(times)]


def arm(double: Running, **form: str) -> dict[str, Any]:
    answer = double.act("faults", **form)
    answer.raise_for_status()
    return answer.json()


def made(double: Running) -> int:
    return len(double.client().v1.payment_intents.list().data)


def test_faults_run_in_queue_order(double: Running) -> None:
    arm(double, next="500", times="2")
    shown = arm(double, next="429")
    assert [fault["kind"] for fault in shown["waiting"]] == ["500", "500", "429"]
    assert statuses(double, 4) == [500, 500, 429, 200]
    assert made(double) == 1


def test_fault_with_empty_next_clears_the_queue(double: Running) -> None:
    arm(double, next="500", times="5")
    assert arm(double, next="")["waiting"] == []
    assert statuses(double, 1) == [200]


def test_fault_without_method_applies_to_posts(double: Running) -> None:
    arm(double, next="500")
    assert made(double) == 0
    assert statuses(double, 1) == [500]
    arm(double, next="429", method="GET")
    assert statuses(double, 1) == [200]
    with pytest.raises(stripe.RateLimitError):
        made(double)
    arm(double, next="500", method="any", times="2")
    with pytest.raises(stripe.APIError):
        made(double)
    assert statuses(double, 2) == [500, 200]


def test_fault_with_path_applies_to_that_path_only(double: Running) -> None:
    intent = double.paid()
    arm(double, next="500", path="/v1/refunds")
    arm(double, next="429", path="/v1/charges", method="GET")
    assert statuses(double, 1) == [200]
    with pytest.raises(stripe.APIError, match="fault was asked for"):
        double.client().v1.refunds.create({"payment_intent": intent.id})
    with pytest.raises(stripe.RateLimitError):
        double.client().v1.charges.retrieve(intent.latest_charge)
    assert double.client().v1.charges.retrieve(intent.latest_charge).amount_refunded == 0


def test_reset_fault_closes_connection_without_work(double: Running) -> None:
    arm(double, next="reset")
    with pytest.raises(stripe.APIConnectionError):
        double.client().v1.payment_intents.create(NEW, {"idempotency_key": "k1"})
    assert made(double) == 0
    first = double.client().v1.payment_intents.create(NEW, {"idempotency_key": "k1"})
    assert "Idempotent-Replayed" not in first.last_response.headers


@pytest.mark.parametrize("kind", ["reset", "timeout_after_create"])
def test_get_fault_loses_the_response(double: Running, kind: str) -> None:
    intent = double.intent()
    arm(double, next=kind, method="GET", times="2")
    for each in (intent.id, "pi_none"):
        with pytest.raises(stripe.APIConnectionError):
            double.client().v1.payment_intents.retrieve(each)
    assert double.client().v1.payment_intents.retrieve(intent.id).id == intent.id


def test_slow_fault_answers_after_the_work(double: Running) -> None:
    arm(double, next="slow", seconds="60")
    http = stripe.RequestsClient(timeout=0.3)
    impatient = stripe.StripeClient(
        "sk_test_x", base_addresses={"api": double.url}, max_network_retries=0, http_client=http
    )
    with pytest.raises(stripe.APIConnectionError):
        impatient.v1.payment_intents.create(NEW)
    assert made(double) == 1


def test_slow_fault_answers_in_the_end(double: Running) -> None:
    arm(double, next="slow", seconds="0.05")
    assert statuses(double, 1) == [200]


@pytest.mark.parametrize(
    "form",
    [
        {"next": "earthquake"},
        {"next": "500", "times": "0"},
        {"next": "500", "times": "many"},
        {"next": "500", "method": "PATCH"},
        {"next": "slow", "seconds": "-1"},
        {"next": "slow", "seconds": "1e9"},
    ],
)
def test_fault_invalid_is_refused_without_changes(double: Running, form: dict[str, str]) -> None:
    assert double.act("faults", **form).status_code == 400
    assert arm(double, next="")["waiting"] == []
    assert statuses(double, 1) == [200]


def test_reset_forgets_objects_keys_and_faults(double: Running) -> None:
    headers = {"Idempotency-Key": "key"}
    url = f"{double.url}/v1/payment_intents"
    first = requests.post(url, NEW, auth=KEY, headers=headers, timeout=5).json()["id"]
    arm(double, next="500")
    double.act("reset").raise_for_status()
    assert made(double) == 0
    assert requests.post(url, NEW, auth=KEY, headers=headers, timeout=5).json()["id"] != first
