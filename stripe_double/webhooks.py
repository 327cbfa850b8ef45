"""Webhooks: signed as Stripe signs them, sent in order of creation, retried with growing delay.

Source: https://docs.stripe.com/webhooks#verify-manually and https://docs.stripe.com/webhooks#retries
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import h11

from stripe_double.webhook_faults import WebhookFaults

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stripe_double.store import Delivery, Store

JSON = dict[str, Any]
logger = logging.getLogger("stripe_double")

HTTP_OK = range(200, 300)
POLL = 0.01


def signature(payload: bytes, timestamp: int, secrets: Sequence[str]) -> str:
    """Return the `Stripe-Signature` header for a payload: one v1 per secret, several while a secret is rolled.

    Source: https://docs.stripe.com/webhooks#verify-manually and https://docs.stripe.com/webhooks#roll-endpoint-secrets
    """
    signed = f"{timestamp}.".encode() + payload
    digests = [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets]
    return ",".join([f"t={timestamp}", *(f"v1={digest}" for digest in digests)])


@dataclass
class Endpoint:
    """Where events go, and the secrets that sign them (more than one only while they are rolled)."""

    url: str
    secrets: list[str] = field(repr=False)


@dataclass
class Deliverer:
    """Sends the events of the store to an address, or those of connected accounts to another.

    An interrupted delivery is repeated: at least once.
    """

    store: Store
    platform: Endpoint
    first_delay: float = 1.0
    tries: int = 10
    timeout: float = 10.0
    connect: Endpoint | None = None
    faults: WebhookFaults = field(default_factory=WebhookFaults)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self) -> None:
        """Wake up after an event was committed or a switch changed."""
        self._news.set()

    async def run(self) -> None:
        """Deliver until cancelled."""
        while True:
            self._news.clear()
            batch, wait = self._next()
            for delivery in batch:
                if self.faults.now.pause:  # since the batch was drawn
                    break
                await self._attempt(delivery)
            if batch:
                continue
            try:
                async with asyncio.timeout(wait):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def flush(self, seconds: float) -> bool:
        """Wait until all deliveries are done; return False after `seconds`."""
        deadline = time.monotonic() + seconds
        while self.store.deliveries().get("pending"):
            if time.monotonic() >= deadline:
                return False
            await asyncio.sleep(POLL)
        return True

    def _next(self) -> tuple[list[Delivery], float | None]:
        """Return what to send now, or how long to wait (None: until woken up)."""
        first = None if self.faults.now.pause else self.store.next_delivery()
        if first is None:
            return [], None
        wait = first.due + self.faults.delay_seconds - time.time()
        if wait > 0:
            return [], wait
        if not self.faults.now.reorder:
            return [first], None
        # Rounding may exclude the first delivery that was due before the delay.
        batch = self.store.due_deliveries(time.time() - self.faults.now.delay) or [first]
        return self.faults.shuffled(batch), None

    async def _attempt(self, delivery: Delivery) -> None:
        if self.faults.should_drop():
            self.store.record_attempt(delivery, "dropped", delivery.due)
            return
        copies = [self._send(delivery.event) for _ in range(1 + self.faults.now.doubled)]
        problem, *_ = await asyncio.gather(*copies)
        if problem is None:
            self.store.record_attempt(delivery, "delivered", delivery.due)
            return
        last = delivery.attempts + 1 >= self.tries
        delay = self.first_delay * 2**delivery.attempts
        self.store.record_attempt(delivery, "failed" if last else "pending", time.time() + delay)
        then = "given up" if last else f"again in {delay:g} s"
        logger.warning("webhook %s (%s): %s, %s", delivery.event["id"], delivery.event["type"], problem, then)

    async def _send(self, event: JSON) -> str | None:
        """Send one copy and return an error message or None."""
        endpoint = self.connect if self.connect and event.get("account") else self.platform
        payload = json.dumps(event | {"pending_webhooks": 1}, indent=2).encode()
        try:
            async with asyncio.timeout(self.timeout):
                status = await post(endpoint.url, payload, signature(payload, int(time.time()), endpoint.secrets))
        except (OSError, TimeoutError, h11.ProtocolError, ValueError) as error:
            return type(error).__name__
        return None if status in HTTP_OK else f"HTTP {status}"


async def post(url: str, payload: bytes, signed: str) -> int:
    """Send one webhook and return the status.

    Uses asyncio and h11 instead of a thread, so that stopping the double cancels it at once.
    """
    parts = urlsplit(url)
    host, secure = parts.hostname or "", parts.scheme == "https"
    reader, writer = await asyncio.open_connection(
        host, parts.port or (443 if secure else 80), ssl=True if secure else None
    )
    try:
        connection = h11.Connection(h11.CLIENT)
        headers = [
            ("Host", parts.netloc.rpartition("@")[2]),
            ("User-Agent", "Stripe/1.0 (+https://stripe.com/docs/webhooks)"),
            ("Accept", "*/*; q=0.5, application/xml"),
            ("Cache-Control", "no-cache"),
            ("Content-Type", "application/json; charset=utf-8"),
            ("Content-Length", str(len(payload))),
            ("Stripe-Signature", signed),
            ("Connection", "close"),
        ]
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        for part in (
            h11.Request(method="POST", target=target, headers=headers),
            h11.Data(data=payload),
            h11.EndOfMessage(),
        ):
            writer.write(connection.send(part) or b"")
        await writer.drain()
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Response):
                return event.status_code
            if event is h11.NEED_DATA:
                connection.receive_data(await reader.read(65536))
    finally:
        writer.close()
