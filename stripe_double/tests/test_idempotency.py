from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import stripe

from stripe_double.tests.conftest import plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from stripe_double.tests.conftest import Running

PARAMS = {"amount": 1999, "currency": "usd", "metadata": {"order": "7"}}


def create(double: Running, key: str, **changes: Any) -> stripe.PaymentIntent:
    return double.client().v1.payment_intents.create(PARAMS | changes, {"idempotency_key": key})


def test_key_with_same_parameters_replays_the_response(double: Running) -> None:
    first, second = create(double, "k1"), create(double, "k1")
    assert plain(first) == plain(second)
    assert "Idempotent-Replayed" not in first.last_response.headers
    assert second.last_response.headers["Idempotent-Replayed"] == "true"
    assert second.last_response.headers["Original-Request"] == first.last_response.request_id
    assert len(double.client().v1.payment_intents.list().data) == 1
    assert double.events() == ["payment_intent.created"]


def test_replay_returns_the_original_response(double: Running) -> None:
    intent = create(double, "k1")
    double.client().v1.payment_intents.cancel(intent.id)
    assert create(double, "k1").status == "requires_payment_method"


def test_key_with_other_parameters_is_idempotency_error(double: Running) -> None:
    intent = create(double, "k1")
    with pytest.raises(stripe.IdempotencyError) as caught:
        create(double, "k1", amount=2000)
    assert (caught.value.http_status, caught.value.user_message) == (
        400,
        (
            "Keys for idempotent requests can only be used with the same parameters they were first used with. "
            "Try using a key other than 'k1' if you meant to execute a different request."
        ),
    )
    with pytest.raises(stripe.IdempotencyError, match="same endpoint they were first used for"):
        double.client().v1.payment_intents.cancel(intent.id, options={"idempotency_key": "k1"})


def test_validation_error_releases_the_key_and_decline_keeps_it(double: Running) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        create(double, "k1", amount=0)
    intent = create(double, "k1")
    answers = []
    for _ in range(2):
        with pytest.raises(stripe.CardError) as caught:
            double.client().v1.payment_intents.confirm(
                intent.id, {"payment_method": "pm_card_visa_chargeDeclined"}, {"idempotency_key": "k2"}
            )
        answers.append(caught.value)
    assert answers[0].http_body == answers[1].http_body
    assert answers[1].headers["Idempotent-Replayed"] == "true"
    assert double.events().count("payment_intent.payment_failed") == 1


def test_key_used_by_ten_requests_creates_one_intent(start: Callable[..., Running]) -> None:
    double = start(latency=0.3)

    def attempt(_: int) -> str:
        try:
            return create(double, "k1").id
        except stripe.APIError as error:  # the SDK knows IdempotencyError for 400 only, and leaves `code` empty here
            return f"{error.http_status} {error.json_body['error']['code']}"

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(attempt, range(10)))
    made = [item.id for item in double.client().v1.payment_intents.list().data]
    assert len(made) == 1
    assert set(answers) == {made[0], "409 idempotency_key_in_use"}
    assert create(double, "k1").id == made[0]


def test_lost_response_is_returned_for_the_same_key(double: Running) -> None:
    double.fault("timeout_after_create")
    with pytest.raises(stripe.APIConnectionError):
        create(double, "k1")
    made = double.client().v1.payment_intents.list().data
    found = create(double, "k1")
    assert [item.id for item in made] == [found.id]
    assert found.last_response.headers["Idempotent-Replayed"] == "true"


def test_sdk_retry_of_lost_response_returns_the_same_intent(double: Running) -> None:
    double.fault("timeout_after_create")
    intent = double.client(retries=1).v1.payment_intents.create(PARAMS)
    assert [item.id for item in double.client().v1.payment_intents.list().data] == [intent.id]


def test_key_stores_500_and_not_429(double: Running) -> None:
    double.fault("500")
    for _ in range(2):
        with pytest.raises(stripe.APIError) as caught:
            create(double, "k1")
        assert caught.value.http_status == 500
    double.fault("429")
    with pytest.raises(stripe.RateLimitError):
        create(double, "k2")
    assert create(double, "k2").status == "requires_payment_method"
    assert len(double.client().v1.payment_intents.list().data) == 1


def test_fault_unknown_is_refused(double: Running) -> None:
    assert double.act("faults", next="earthquake").status_code == 400
    assert double.act("faults", next="500", seconds="nan").status_code == 400
    assert double.act("faults", next="500").json()["next"] == "500"
    assert double.act("faults", next="").json()["next"] is None


def test_key_longer_than_255_is_refused(double: Running) -> None:
    with pytest.raises(stripe.IdempotencyError):
        create(double, "k" * 256)


def test_timeout_fault_lasts_until_the_client_disconnects(double: Running) -> None:
    double.act("faults", next="timeout_after_create", seconds="60").raise_for_status()
    http = stripe.RequestsClient(timeout=0.3)
    impatient = stripe.StripeClient(
        "sk_test_x", base_addresses={"api": double.url}, max_network_retries=0, http_client=http
    )
    with pytest.raises(stripe.APIConnectionError, match=r"Timeout|timed out"):
        impatient.v1.payment_intents.create(PARAMS, {"idempotency_key": "k1"})
    assert [item.id for item in double.client().v1.payment_intents.list().data] == [create(double, "k1").id]
