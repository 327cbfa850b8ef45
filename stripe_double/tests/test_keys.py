from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests
import stripe

if TYPE_CHECKING:
    from stripe_double.tests.conftest import Running


@pytest.mark.parametrize("key", ["sk_live_51Habcdef", "rk_live_51Habcdef", "pk_live_51Habcdef", "nonsense"])
def test_live_or_unknown_key_returns_401_without_the_key(double: Running, key: str) -> None:
    with pytest.raises(stripe.AuthenticationError) as caught:
        double.client(key).v1.payment_intents.list()
    assert caught.value.http_status == 401
    assert key not in caught.value.http_body


def test_missing_key_returns_stripe_401(double: Running) -> None:
    answer = requests.get(f"{double.url}/v1/payment_intents", timeout=5)
    error = answer.json()["error"]
    assert (answer.status_code, sorted(error)) == (401, ["message", "request_log_url", "type"])
    assert error["message"].startswith("You did not provide an API key.")
    assert answer.headers["Request-Id"].startswith("req_")
    assert answer.headers["Stripe-Version"] == "2026-10-28.endive"


def test_publishable_key_needs_the_client_secret(double: Running) -> None:
    intent = double.intent(metadata={"order": "7"})
    public = double.client("pk_test_double").v1.payment_intents
    seen = public.retrieve(intent.id, {"client_secret": intent.client_secret}).to_dict()
    assert seen["status"] == "requires_payment_method"
    assert not {"metadata", "latest_charge"} & set(seen)
    for secret, code in (
        (f"{intent.id}_secret_guess", "payment_intent_invalid_parameter"),
        (None, "parameter_missing"),
    ):
        with pytest.raises(stripe.InvalidRequestError) as caught:
            public.retrieve(intent.id, {"client_secret": secret} if secret else {})
        assert (caught.value.http_status, caught.value.code) == (400, code)
    form = {"key": "pk_test_double", "client_secret": intent.client_secret, "payment_method": "pm_card_visa"}
    paid = requests.post(f"{double.url}/v1/payment_intents/{intent.id}/confirm", data=form, timeout=5)
    assert (paid.status_code, paid.json()["status"]) == (200, "succeeded")


def test_publishable_key_is_refused_elsewhere(double: Running) -> None:
    intent, public = double.intent(), double.client("pk_test_double").v1
    for call in (
        public.payment_intents.list,
        lambda: public.payment_intents.create({"amount": 100, "currency": "usd"}),
        lambda: public.payment_intents.cancel(intent.id),
        lambda: public.refunds.create({"payment_intent": intent.id}),
        public.events.list,
    ):
        with pytest.raises(stripe.AuthenticationError) as caught:
            call()
        assert caught.value.json_body["error"]["code"] == "secret_key_required"


def test_foreign_host_is_refused(double: Running) -> None:
    assert requests.get(f"{double.url}/_double/", headers={"Host": "evil.test"}, timeout=5).status_code == 400


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"amount=%ff", 400),
        (b"amount=\xff", 400),
        (b"a[b]=1&a=2", 400),
        (b"a=1&a[b]=2", 400),
        (b"[]=1", 400),
        (b"a" + b"[b]" * 50 + b"=1", 400),
        (b"x=" + b"y" * 1_000_001, 413),
        (b'{"amount": 100}', 400),
        (b"expand=latest_charge&amount=100&currency=usd", 400),
        (b"expand[]=metadata&amount=100&currency=usd", 400),
        (b"payment_method_data=1&amount=100&currency=usd", 400),
        (b"payment_method_data[type]=card&amount=100&currency=usd", 400),
        (b"automatic_payment_methods=1&amount=100&currency=usd", 400),
        (b"metadata[a][b]=1&amount=100&currency=usd", 400),
        (b"amount[a]=1&currency=usd", 400),
        (b"currency[]=usd&amount=100", 400),
    ],
)
def test_malformed_body_returns_stripe_error(double: Running, body: bytes, status: int) -> None:
    answer = requests.post(
        f"{double.url}/v1/payment_intents", data=body, headers={"Authorization": "Bearer sk_test_x"}, timeout=5
    )
    assert (answer.status_code, answer.json()["error"]["type"]) == (status, "invalid_request_error")
    assert double.client().v1.payment_intents.list().data == []
