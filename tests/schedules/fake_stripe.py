"""Stripe's side of a schedule: the double as a process, asked over HTTP, and all its events."""

from __future__ import annotations

import json
import time
from typing import Any

import requests
import stripe

KEY = ("sk_test_double", "")
SECRET = "whsec_test"


class FakeStripe:
    """What buyers, banks and Stripe's dashboard do, and what there is at the end."""

    def __init__(self, url: str) -> None:
        self.url, self.http = url, requests.Session()
        self.http.auth = KEY
        self._last: str | None = None

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        return self.http.get(self.url + path, params=params, timeout=30).json()

    def post(self, path: str, **params: Any) -> dict[str, Any]:
        return self.http.post(self.url + path, data=params, timeout=30).json()

    def new_events(self) -> list[dict[str, Any]]:
        """Return the events since the last call, oldest first."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.get("/v1/events", limit=100, **({"ending_before": self._last} if self._last else {}))
            found += page["data"][::-1]
            if page["data"]:
                self._last = page["data"][0]["id"]
            if not page["has_more"] or not page["data"]:
                return found

    def skip_events(self) -> None:
        """Skip the events of earlier schedules."""
        newest = self.get("/v1/events", limit=1)["data"]
        self._last = newest[0]["id"] if newest else None

    def list_all(self, what: str, **params: Any) -> list[dict[str, Any]]:
        """Return a whole list."""
        found: list[dict[str, Any]] = []
        while True:
            after = {"starting_after": found[-1]["id"]} if found else {}
            page = self.get(f"/v1/{what}", limit=100, **params, **after)
            found += page["data"]
            if not page["has_more"]:
                return found


def signed_delivery(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event as webhooks.receive takes it: raw bytes, and Stripe's signature of them just now."""
    payload = json.dumps(event).encode()
    signature = stripe.WebhookSignature.generate_signature_header(payload.decode(), SECRET, int(time.time()))
    return {"payload": payload, "signature": signature}
