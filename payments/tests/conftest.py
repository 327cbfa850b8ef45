"""A sold product, the Stripe double as a process of its own, and webhooks signed as Stripe signs them."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from threading import Barrier
from typing import TYPE_CHECKING, Any

import pytest
import requests
import stripe
from django.db import connection

from auctioncraft.core.invariants import find_violations
from auctions.services import bidding, closing
from payments.models import Order
from payments.signals import order_expired, payment_reminded
from tests import factories

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rest_framework.test import APIClient

    from accounts.models import User
    from auctions.models import Product

SECRET = "whsec_test"
KEY = ("sk_test_double", "")


@dataclass
class Double:
    """The Stripe double, as a test drives it: over HTTP, as the buyer's browser and Stripe's dashboard would."""

    url: str

    def post(self, path: str, **params: Any) -> dict[str, Any]:
        answer = requests.post(self.url + path, data=params, auth=KEY, timeout=10)
        return answer.json()

    def create(self, **params: Any) -> dict[str, Any]:
        return self.post("/v1/payment_intents", **{"amount": 1999, "currency": "usd", **params})

    def intent(self, intent_id: str) -> dict[str, Any]:
        return requests.get(f"{self.url}/v1/payment_intents/{intent_id}", auth=KEY, timeout=10).json()

    def intents(self) -> list[dict[str, Any]]:
        """All of them: the double is the session's, and others have made many."""
        found: list[dict[str, Any]] = []
        while True:
            after = {"starting_after": found[-1]["id"]} if found else {}
            url, params = f"{self.url}/v1/payment_intents", {"limit": 100, **after}
            page = requests.get(url, params, auth=KEY, timeout=10).json()
            found += page["data"]
            if not page["has_more"]:
                return found

    def confirm(self, intent_id: str, card: str = "pm_card_visa") -> dict[str, Any]:
        return self.post(f"/v1/payment_intents/{intent_id}/confirm", payment_method=card, return_url="https://x.test/")

    def cancel(self, intent_id: str) -> dict[str, Any]:
        return self.post(f"/v1/payment_intents/{intent_id}/cancel")

    def fail_next(self, kind: str, seconds: float = 0) -> None:
        self.post("/_double/faults", next=kind, seconds=seconds)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_double(*more: str) -> Iterator[Double]:
    port = _free_port()
    command = [sys.executable, "-m", "stripe_double", "--port", str(port), "--db", ":memory:", *more]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, "the Stripe double does not start"
            time.sleep(0.05)
        yield Double(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="session")
def _double() -> Iterator[Double]:
    yield from start_double()


@pytest.fixture(scope="session")
def _slow_double() -> Iterator[Double]:
    yield from start_double("--latency", "0.3")


@pytest.fixture(scope="session")
def _calling_double(live_server: Any) -> Iterator[Double]:
    yield from start_double("--webhook-url", f"{live_server.url}/api/stripe/webhook/", "--webhook-secret", SECRET)


@pytest.fixture
def double(_double: Double, settings: Any) -> Double:
    """A double that sends no webhooks: the test does."""
    settings.STRIPE_API_BASE = _double.url
    _double.fail_next("")
    return _double


@pytest.fixture
def slow_double(_slow_double: Double, settings: Any) -> Double:
    """A double that takes as long for a POST as Stripe does."""
    settings.STRIPE_API_BASE = _slow_double.url
    return _slow_double


@pytest.fixture
def calling_double(_calling_double: Double, settings: Any) -> Double:
    """A double that delivers its events to the live server."""
    settings.STRIPE_API_BASE = _calling_double.url
    return _calling_double


@pytest.fixture
def stripe_unreachable(settings: Any) -> None:
    """Nothing listens where Stripe should be."""
    settings.STRIPE_API_BASE = f"http://127.0.0.1:{_free_port()}"


def sell(seller: User, bidder: User, price: str = "19.99", **fields: Any) -> Product:
    """Sell a product to the bidder at this hammer price, as in life: list, bid, close."""
    product = factories.product(seller, **{"starting_bid": "1", **fields})
    bidding.place_bid(product_id=product.pk, bidder_id=bidder.pk, amount=Decimal(price))
    closing.close_auction(product_id=product.pk, actor=seller)
    return product


@pytest.fixture
def product(seller: User, bidder: User) -> Product:
    """A product that `bidder` won for 19.99 USD."""
    return sell(seller, bidder)


@pytest.fixture
def order(product: Product) -> Order:
    """The order of `product`."""
    return Order.objects.get(product=product)


@pytest.fixture
def expiry_signals() -> Iterator[list[tuple[str, int, Any]]]:
    """What the apps above are told of unpaid orders."""
    seen: list[tuple[str, int, Any]] = []

    def on_expired(order: Order, **_: Any) -> None:
        seen.append(("expired", order.pk, order.status))

    def on_reminded(order: Order, **_: Any) -> None:
        seen.append(("reminded", order.pk, order.reminders_sent))

    order_expired.connect(on_expired)
    payment_reminded.connect(on_reminded)
    yield seen
    order_expired.disconnect(on_expired)
    payment_reminded.disconnect(on_reminded)


@pytest.fixture
def intent_id(double: Double, winner: APIClient, product: Product) -> str:
    """The live intent of `order`."""
    return request_intent(winner, product).json()["payment_intent_id"]


@pytest.fixture
def winner(bidder: User, as_user: Callable[[User], APIClient]) -> APIClient:
    """The winner, calling."""
    return as_user(bidder)


def request_intent(caller: APIClient, product: Product) -> Any:
    """Call create-payment-intent."""
    return caller.post("/api/payments/create-payment-intent/", {"product_id": product.pk})


def build_event(subject: dict[str, Any], kind: str, event_id: str = "evt_1", **fields: Any) -> dict[str, Any]:
    """An event about a PaymentIntent, as Stripe words it."""
    return {
        "id": event_id,
        "object": "event",
        "type": kind,
        "livemode": False,
        "data": {"object": {"object": "payment_intent", **subject}},
        **fields,
    }


def sign_payload(payload: bytes, *, age: int = 0, secret: str = SECRET) -> str:
    """Stripe's signature of a payload, `age` seconds ago."""
    return stripe.WebhookSignature.generate_signature_header(
        payload.decode("utf-8", "replace"), secret, int(time.time()) - age
    )


def post_event(client: APIClient, event: Any, *, age: int = 0, **more: Any) -> Any:
    """Post an event to the webhook, signed."""
    payload = event if isinstance(event, bytes) else json.dumps(event).encode()
    headers = {"Stripe-Signature": sign_payload(payload, age=age), **more}
    return client.generic("POST", "/api/stripe/webhook/", payload, "application/json", headers=headers)


def run_concurrently(times: int, work: Callable[[], Any]) -> list[Any]:
    """Do the same from so many threads, started together, each with its own database connection."""
    gate = Barrier(times)

    def run(_: int) -> Any:
        gate.wait()
        try:
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(run, range(times)))


def broken_invariants() -> list[str]:
    """Return what is not true of the money though it always must be: a line a row."""
    return [line for lines in find_violations("payments").values() for line in lines]


def statuses(order: Order) -> tuple[str, ...]:
    """Return the order's status, and those of its payments, the oldest first."""
    order.refresh_from_db()
    return order.status, *order.payments.order_by("pk").values_list("status", flat=True)
