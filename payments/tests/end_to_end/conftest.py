"""Our server and who calls it: Stripe with events, people with their tokens."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import requests

from accounts.services import tokens
from payments.tests.conftest import KEY, SECRET, sign_payload

if TYPE_CHECKING:
    from collections.abc import Iterator

    from accounts.models import User
    from auctions.models import Product
    from payments.models import Order
    from payments.tests.conftest import Double

WAIT = 60  # seconds for an answer, on a busy machine


@dataclass
class Person:
    """Somebody signed in, as their browser calls."""

    url: str
    token: str

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
        """Call the API."""
        headers |= {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return requests.request(method, self.url + path, json=body, headers=headers, timeout=WAIT)

    def pay(self, product: Product, **headers: str) -> requests.Response:
        """Ask for the PaymentIntent of a product."""
        return self.call("POST", "/api/payments/create-payment-intent/", {"product_id": product.pk}, **headers)

    def refund(self, order: Order, **asked: Any) -> requests.Response:
        """Ask for a refund."""
        return self.call("POST", f"/api/payments/orders/{order.pk}/refund/", asked)

    def order(self, order: Order) -> dict[str, Any]:
        """Read an order."""
        answer = self.call("GET", f"/api/payments/orders/{order.pk}/")
        assert answer.status_code == 200
        return answer.json()


@dataclass
class Server:
    """Our server."""

    url: str

    def person(self, user: User | None) -> Person:
        """Sign somebody in; None is nobody."""
        return Person(self.url, tokens.sign_in(user=user, user_agent="tests", ip=None).access if user else "")

    def post(self, payload: bytes, signature: str | None, **headers: str) -> requests.Response:
        """Post bytes to the webhook."""
        headers |= {} if signature is None else {"Stripe-Signature": signature}
        return requests.post(f"{self.url}/api/stripe/webhook/", data=payload, headers=headers, timeout=WAIT)

    def deliver(self, event: dict[str, Any], *, secret: str = SECRET, age: int = 0) -> requests.Response:
        """Deliver an event, signed as Stripe signs it, `age` seconds ago."""
        payload = json.dumps(event).encode()
        return self.post(payload, sign_payload(payload, secret=secret, age=age))


@dataclass
class Stripe:
    """What happened at the Stripe double, as its events tell."""

    double: Double

    def events(self, subject_id: str = "", **query: Any) -> list[dict[str, Any]]:
        """Return its events about an object, or about what belongs to an intent; the oldest first."""
        query = {"limit": 100, **query}
        found = requests.get(f"{self.double.url}/v1/events", params=query, auth=KEY, timeout=WAIT).json()["data"]
        return [event for event in reversed(found) if subject_id in json.dumps(event["data"]["object"])]

    def event(self, kind: str, subject_id: str) -> dict[str, Any]:
        """Return the newest event of a type about an object."""
        return self.events(subject_id, type=kind)[-1]

    def arm(self, kind: str, **more: Any) -> None:
        """Make something go wrong with the next POST that is about PaymentIntents, or about what `more` says."""
        fault = {"next": kind, "path": "/v1/payment_intents", **more}
        requests.post(f"{self.double.url}/_double/faults", data=fault, auth=KEY, timeout=WAIT).raise_for_status()

    def charge_of(self, intent_id: str) -> str:
        """Return the id of an intent's charge."""
        return self.double.intent(intent_id)["latest_charge"]


@pytest.fixture
def server(live_server: Any) -> Server:
    """Our server."""
    return Server(live_server.url)


@pytest.fixture
def at_stripe(double: Double) -> Stripe:
    """A double that keeps its events to itself; the test delivers them."""
    return Stripe(double)


@pytest.fixture
def buyer(server: Server, bidder: User, product: Product) -> Person:
    """The winner of `product`."""
    return server.person(bidder)


@pytest.fixture
def intent_id(double: Double, buyer: Person, product: Product) -> str:
    """The live intent of `order`."""
    return buyer.pay(product).json()["payment_intent_id"]


@pytest.fixture
def paid(server: Server, at_stripe: Stripe, intent_id: str) -> str:
    """The intent of `order`, paid, and our server knows."""
    at_stripe.double.confirm(intent_id)
    assert server.deliver(at_stripe.event("payment_intent.succeeded", intent_id)).status_code == 200
    return intent_id


@pytest.fixture
def delivering(calling_double: Double) -> Iterator[Stripe]:
    """A double that delivers its events to our server by itself."""
    switches = "/_double/webhooks"
    calling_double.post(switches, reset="true", secret=SECRET)
    yield Stripe(calling_double)
    calling_double.post(switches, reset="true", secret=SECRET)
    calling_double.post(f"{switches}/flush")
