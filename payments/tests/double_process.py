"""The Stripe double as its own process."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "whsec_test"
KEY = ("sk_test_double", "")


@dataclass
class Double:
    """The Stripe double, called over HTTP like a buyer's browser and Stripe's dashboard do."""

    url: str
    session: requests.Session = field(default_factory=requests.Session)

    def post(self, path: str, /, **params: Any) -> dict[str, Any]:
        return self.session.post(self.url + path, data=params, auth=KEY, timeout=10).json()

    def get(self, path: str, /, **params: Any) -> dict[str, Any]:
        return self.session.get(self.url + path, params=params, auth=KEY, timeout=10).json()

    def delete(self, path: str) -> dict[str, Any]:
        return self.session.delete(self.url + path, auth=KEY, timeout=10).json()

    def create(self, **params: Any) -> dict[str, Any]:
        return self.post("/v1/payment_intents", **{"amount": 1999, "currency": "usd", **params})

    def intent(self, intent_id: str) -> dict[str, Any]:
        return self.get(f"/v1/payment_intents/{intent_id}")

    def intents(self) -> list[dict[str, Any]]:
        """Return the newest 100 intents."""
        return self.get("/v1/payment_intents", limit=100)["data"]

    def confirm(self, intent_id: str, card: str = "pm_card_visa") -> dict[str, Any]:
        return self.post(f"/v1/payment_intents/{intent_id}/confirm", payment_method=card, return_url="https://x.test/")

    def cancel(self, intent_id: str) -> dict[str, Any]:
        return self.post(f"/v1/payment_intents/{intent_id}/cancel")

    def authenticate(self, intent_id: str, outcome: str = "succeed") -> dict[str, Any]:
        """Finish 3-D Secure."""
        return self.post(f"/_double/payment_intents/{intent_id}/authenticate", outcome=outcome)

    def settle(self, intent_id: str, outcome: str) -> dict[str, Any]:
        """Finish a bank debit that is processing."""
        return self.post(f"/_double/payment_intents/{intent_id}/settle", outcome=outcome)

    def fail_next(self, kind: str, **options: Any) -> None:
        """Make the next POST fail; options: `times`, `method`, `path`, `seconds`."""
        assert "error" not in self.post("/_double/faults", next=kind, **options)

    def reset(self) -> None:
        """Delete all objects, keys and faults: tests share the process, not its data."""
        self.post("/_double/reset")


def free_port() -> int:
    """Return a port that no server listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_double(*more: str) -> Iterator[Double]:
    """Run the double, with these options, until the generator is closed."""
    port = free_port()
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
