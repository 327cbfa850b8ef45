"""A sold product, the Stripe double as its own process, and webhook events with Stripe's signature."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from threading import Barrier
from typing import TYPE_CHECKING, Any

import pytest
import stripe
from django.db import connection

from auctioncraft.core import clock
from auctions.services import bidding, closing
from payments import errors
from payments.models import Customer, Order, Payment, Payout, Refund, StripeEvent, TransferReversal
from payments.signals import order_expired, payment_failed, payment_reminded, payment_succeeded
from payments.tests.double_process import SECRET, Double, free_port, start_double
from tests import factories
from tests.violations import find_violations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rest_framework.test import APIClient

    from accounts.models import User
    from auctioncraft.core.retry import RetryPolicy
    from auctions.models import Product


@pytest.fixture(scope="session")
def _double() -> Iterator[Double]:
    yield from start_double()


@pytest.fixture(scope="session")
def _slow_double() -> Iterator[Double]:
    yield from start_double("--latency", "0.1")


@pytest.fixture(scope="session")
def _delivering_double(live_server: Any) -> Iterator[Double]:
    yield from start_double("--webhook-url", f"{live_server.url}/api/stripe/webhook/", "--webhook-secret", SECRET)


@pytest.fixture
def double(_double: Double, settings: Any) -> Double:
    """A double that sends no webhooks: the test does."""
    settings.STRIPE_API_BASE = _double.url
    _double.reset()
    return _double


@pytest.fixture
def slow_double(_slow_double: Double, settings: Any) -> Double:
    """A double that takes 0.1 s for a POST, so that concurrent requests overlap."""
    settings.STRIPE_API_BASE = _slow_double.url
    _slow_double.reset()
    return _slow_double


@pytest.fixture
def delivering_double(_delivering_double: Double, settings: Any) -> Iterator[Double]:
    """A double that delivers its events to the live server."""
    settings.STRIPE_API_BASE = _delivering_double.url
    _delivering_double.reset()
    yield _delivering_double
    _delivering_double.post("/_double/webhooks/flush")


@pytest.fixture
def stripe_unreachable(settings: Any) -> None:
    """No server listens at Stripe's address."""
    settings.STRIPE_API_BASE = f"http://127.0.0.1:{free_port()}"


def sell(seller: User, bidder: User, price: str = "19.99", **fields: Any) -> Product:
    """Sell a product to the bidder at this hammer price: list, bid, close."""
    product = factories.product(seller, **fields)
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
    """The order_expired and payment_reminded signals that were sent: (kind, order id, status or count)."""
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
def payment_signals() -> Iterator[list[tuple[str, int]]]:
    """The payment_succeeded and payment_failed signals that were sent: (outcome, order id)."""
    seen: list[tuple[str, int]] = []

    def on_success(order: Order, **_: Any) -> None:
        seen.append(("succeeded", order.pk))

    def on_failure(order: Order, **_: Any) -> None:
        seen.append(("failed", order.pk))

    payment_succeeded.connect(on_success)
    payment_failed.connect(on_failure)
    yield seen
    payment_succeeded.disconnect(on_success)
    payment_failed.disconnect(on_failure)


@pytest.fixture
def fault(client: APIClient) -> Iterator[list[Exception]]:
    """Make a receiver of payment_succeeded raise this error until the test clears the list."""
    client.raise_request_exception = False  # answer 500 as a server does
    armed: list[Exception] = [RuntimeError("a receiver failed")]

    def fail(**_: Any) -> None:
        if armed:
            raise armed[0]

    payment_succeeded.connect(fail)
    yield armed
    payment_succeeded.disconnect(fail)


@pytest.fixture
def intent_id(double: Double, winner: APIClient, product: Product) -> str:
    """The open intent of `order`."""
    return request_intent(winner, product).json()["payment_intent_id"]


@pytest.fixture
def winner(bidder: User, as_user: Callable[[User], APIClient]) -> APIClient:
    """An API client of the winner."""
    return as_user(bidder)


def request_intent(caller: APIClient, product: Product) -> Any:
    """Call create-payment-intent."""
    return caller.post("/api/payments/create-payment-intent/", {"product_id": product.pk})


def build_event(subject: dict[str, Any], kind: str, event_id: str = "evt_1", **fields: Any) -> dict[str, Any]:
    """Return an event about a PaymentIntent (or what `subject` says), in Stripe's form."""
    return {
        "id": event_id,
        "object": "event",
        "type": kind,
        "livemode": False,
        "data": {"object": {"object": "payment_intent", **subject}},
        **fields,
    }


def sign_payload(payload: bytes, *, age: int = 0, secret: str = SECRET) -> str:
    """Return Stripe's signature of a payload, made `age` seconds ago."""
    return stripe.WebhookSignature.generate_signature_header(
        payload.decode("utf-8", "replace"), secret, int(time.time()) - age
    )


def post_event(client: APIClient, event: Any, *, age: int = 0, **more: Any) -> Any:
    """Post a signed event to the webhook."""
    payload = event if isinstance(event, bytes) else json.dumps(event).encode()
    headers = {"Stripe-Signature": sign_payload(payload, age=age), **more}
    return client.generic("POST", "/api/stripe/webhook/", payload, "application/json", headers=headers)


def run_concurrently(times: int, work: Callable[[], Any]) -> list[Any]:
    """Call `work` from this many threads at once, each with its own database connection."""
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
    """Return the violations of the invariants of payments, one line for each row."""
    return [line for lines in find_violations("payments").values() for line in lines]


def statuses(order: Order) -> tuple[str, ...]:
    """Return the status of the order and of its payments, oldest first."""
    order.refresh_from_db()
    return order.status, *order.payments.order_by("pk").values_list("status", flat=True)


def unless_key_in_use(call: Callable[[], str]) -> Callable[[], str]:
    """Return the call; its result is "busy" if another request is under way with the same key."""

    def result() -> str:
        try:
            return call()
        except errors.KeyInUse:
            return "busy"

    return result


def make_due() -> None:
    """End every wait for a next attempt, and the lease of a worker that was killed."""
    for model in (Customer, Order, Payment, Payout, Refund, StripeEvent, TransferReversal):
        waiting = model.objects.filter(next_attempt_at__isnull=False)
        waiting.update(next_attempt_at=clock.now() - timedelta(seconds=1), lease=None)


def total_delay(policy: RetryPolicy, *, pk: object) -> timedelta:
    """Return the time between the first and the last attempt of a row that always fails."""
    delays = (policy.delay(pk=pk, attempts=attempts) for attempts in range(1, policy.max_attempts))
    return sum(delays, timedelta(0))
