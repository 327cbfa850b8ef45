"""The live server and its callers: Stripe with events, users with tokens."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import requests

from accounts.services import tokens
from payments.tests.conftest import sign_payload
from payments.tests.double_process import SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator

    from accounts.models import User
    from auctions.models import Product
    from payments.models import Order
    from payments.tests.double_process import Double

WAIT = 60  # seconds for an answer, on a busy machine


@dataclass
class Person:
    """A signed-in user who calls the API over HTTP."""

    url: str
    token: str

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
        """Call the API."""
        headers |= {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return requests.request(method, self.url + path, json=body, headers=headers, timeout=WAIT)

    def pay(self, product: Product, **headers: str) -> requests.Response:
        """Call create-payment-intent."""
        return self.call("POST", "/api/payments/create-payment-intent/", {"product_id": product.pk}, **headers)

    def refund(self, order: Order, **asked: Any) -> requests.Response:
        """Call the refund action."""
        return self.call("POST", f"/api/payments/orders/{order.pk}/refund/", asked)

    def order(self, order: Order) -> dict[str, Any]:
        """Read an order."""
        answer = self.call("GET", f"/api/payments/orders/{order.pk}/")
        assert answer.status_code == 200
        return answer.json()


@dataclass
class Server:
    """The live server."""

    url: str

    def person(self, user: User | None) -> Person:
        """Sign a user in; None makes an anonymous caller."""
        return Person(self.url, tokens.sign_in(user=user, user_agent="tests", ip=None).access if user else "")

    def post(self, payload: bytes, signature: str | None, **headers: str) -> requests.Response:
        """Post bytes to the webhook."""
        headers |= {} if signature is None else {"Stripe-Signature": signature}
        return requests.post(f"{self.url}/api/stripe/webhook/", data=payload, headers=headers, timeout=WAIT)

    def deliver(self, event: dict[str, Any], *, secret: str = SECRET, age: int = 0) -> requests.Response:
        """Deliver an event with Stripe's signature, made `age` seconds ago."""
        payload = json.dumps(event).encode()
        return self.post(payload, sign_payload(payload, secret=secret, age=age))


@dataclass
class Stripe:
    """The events of the Stripe double."""

    double: Double

    def events(self, subject_id: str = "", **query: Any) -> list[dict[str, Any]]:
        """Return the events whose object contains this id, oldest first."""
        found = self.double.get("/v1/events", limit=100, **query)["data"]
        return [event for event in reversed(found) if subject_id in json.dumps(event["data"]["object"])]

    def event(self, kind: str, subject_id: str) -> dict[str, Any]:
        """Return the newest event of a type about an object."""
        return self.events(subject_id, type=kind)[-1]

    def charge_of(self, intent_id: str) -> str:
        """Return the id of an intent's charge."""
        return self.double.intent(intent_id)["latest_charge"]


@pytest.fixture
def server(live_server: Any) -> Server:
    """The live server."""
    return Server(live_server.url)


@pytest.fixture
def at_stripe(double: Double) -> Stripe:
    """A double that sends no webhooks: the test delivers its events."""
    return Stripe(double)


@pytest.fixture
def buyer(server: Server, bidder: User, product: Product) -> Person:
    """The winner of `product`."""
    return server.person(bidder)


@pytest.fixture
def intent_id(double: Double, buyer: Person, product: Product) -> str:
    """The open intent of `order`."""
    return buyer.pay(product).json()["payment_intent_id"]


@pytest.fixture
def paid(server: Server, at_stripe: Stripe, intent_id: str) -> str:
    """The intent of `order`, paid, after its event was delivered."""
    at_stripe.double.confirm(intent_id)
    assert server.deliver(at_stripe.event("payment_intent.succeeded", intent_id)).status_code == 200
    return intent_id


@pytest.fixture
def delivering(delivering_double: Double) -> Iterator[Stripe]:
    """A double that delivers its events to the server itself."""
    options = "/_double/webhooks"
    delivering_double.post(options, reset="true", secret=SECRET)
    yield Stripe(delivering_double)
    delivering_double.post(options, reset="true", secret=SECRET)
