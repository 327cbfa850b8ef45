from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import requests
import stripe

from stripe_double.__main__ import server
from stripe_double.state import Double
from stripe_double.store import Store
from stripe_double.webhooks import Deliverer, Endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SECRET = "whsec_for_tests"
SUCCESS = {"payment_method": "pm_card_visa"}


def until(condition: Callable[[], Any], seconds: float = 15) -> Any:
    """Poll until the condition is truthy and return it; fail at the deadline."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.01)
    raise AssertionError(f"not within {seconds} s")


@dataclass
class Receiver:
    """The other end of a webhook: keeps what came, gives the answers that were set (200 otherwise)."""

    url: str = ""
    got: list[tuple[str, bytes]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    held: threading.Event | None = None

    def events(self) -> list[stripe.Event]:
        return [stripe.Webhook.construct_event(body, header, SECRET) for header, body in self.got]

    def types(self) -> list[str]:
        return [event.type for event in self.events()]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    kept = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.got.append((self.headers["Stripe-Signature"], body))
            if kept.held:
                kept.held.wait(30)
            self.send_response(kept.statuses.pop(0) if kept.statuses else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept.url = f"http://127.0.0.1:{httpd.server_port}/hook?from=double"
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
    thread.start()
    yield kept
    if kept.held:
        kept.held.set()
    httpd.shutdown()
    thread.join()
    httpd.server_close()


@dataclass
class Running:
    url: str
    store: Store
    double: Double

    def client(self, key: str = "sk_test_double", retries: int = 0) -> stripe.StripeClient:
        return stripe.StripeClient(key, base_addresses={"api": self.url}, max_network_retries=retries)

    def intent(self, **params: Any) -> stripe.PaymentIntent:
        given = {"amount": 1999, "currency": "usd", "automatic_payment_methods": {"enabled": True}} | params
        return self.client().v1.payment_intents.create(params=given)

    def paid(self, **params: Any) -> stripe.PaymentIntent:
        return self.intent(confirm=True, payment_method="pm_card_visa", **params)

    def customer(self, card: str | None = None) -> str:
        """Return a new customer, with this card saved through a SetupIntent."""
        customer = self.client().v1.customers.create({"email": "bo@example.com"})
        if card:
            setup = {"customer": customer.id, "payment_method": card, "confirm": True}
            intent = self.client().v1.setup_intents.create(setup)
            if intent.status == "requires_action":
                self.act(f"setup_intents/{intent.id}/authenticate", outcome="succeed").raise_for_status()
        return customer.id

    def card_of(self, customer: str) -> str:
        """Return the saved card of a customer."""
        return self.client().v1.customers.payment_methods.list(customer).data[0].id

    def seller(self, *, onboarded: bool = True) -> str:
        """Return a connected account that can be paid, or one that has yet to be onboarded."""
        asked = {"transfers": {"requested": True}}
        account = self.client().v1.accounts.create({"type": "express", "capabilities": asked})
        if onboarded:
            back = {"refresh_url": "http://127.0.0.1:9/again", "return_url": "http://127.0.0.1:9/back"}
            link = {"account": account.id, "type": "account_onboarding", **back}
            url = self.client().v1.account_links.create(link).url
            requests.post(url, data={"outcome": "complete"}, timeout=5, allow_redirects=False).raise_for_status()
        return account.id

    def fault(self, kind: str) -> None:
        requests.post(f"{self.url}/_double/faults", json={"next": kind}, timeout=5).raise_for_status()

    def act(self, path: str, /, **form: str) -> requests.Response:
        return requests.post(f"{self.url}/_double/{path}", data=form, timeout=5)

    def events(self) -> list[str]:
        listed = self.client().v1.events.list({"limit": 100}).data
        return [event.type for event in reversed(listed)]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    started = []

    def _start(webhook_url: str = "", latency: float = 0.0, db: str | None = None) -> Running:
        store = Store(db or str(tmp_path / "double.sqlite3"))
        deliverer = Deliverer(store, Endpoint(webhook_url, [SECRET]), first_delay=0.02) if webhook_url else None
        double = Double(store, deliverer, latency)
        running = server(double, 0)
        thread = threading.Thread(target=running.run)
        thread.start()
        started.append((running, thread))
        until(lambda: running.started)
        port = running.servers[0].sockets[0].getsockname()[1]
        return Running(f"http://127.0.0.1:{port}", store, double)

    yield _start
    for running, thread in started:
        running.should_exit = True
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture
def double(start: Callable[..., Running]) -> Running:
    return start()


def plain(obj: Any) -> Any:
    """Return an SDK object as plain JSON."""
    return json.loads(json.dumps(obj.to_dict() if hasattr(obj, "to_dict") else obj, default=lambda o: o.to_dict()))
