"""Webhooks: signed as Stripe signs them, sent in order of creation, tried again with growing delay.

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
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import h11

if TYPE_CHECKING:
    from stripe_double.store import Delivery, Store

logger = logging.getLogger("stripe_double")

HTTP_OK = range(200, 300)


def signature(secret: str, payload: bytes, timestamp: int) -> str:
    """Return the `Stripe-Signature` header for a payload.

    Source: https://docs.stripe.com/webhooks#verify-manually
    """
    signed = hmac.new(secret.encode(), f"{timestamp}.".encode() + payload, hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={signed}"


@dataclass
class Deliverer:
    """Sends the events of the store to one address. A delivery that was cut short is made again: at least once."""

    store: Store
    url: str
    secret: str
    first_delay: float = 1.0
    tries: int = 10
    timeout: float = 10.0
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self) -> None:
        """Say that an event was committed."""
        self._news.set()

    async def run(self) -> None:
        """Deliver until cancelled."""
        while True:
            self._news.clear()
            delivery = self.store.next_delivery()
            wait = delivery.due - time.time() if delivery else None
            if delivery is not None and wait is not None and wait <= 0:
                await self._attempt(delivery)
                continue
            try:
                async with asyncio.timeout(wait):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def _attempt(self, delivery: Delivery) -> None:
        payload = json.dumps(delivery.event | {"pending_webhooks": 1}, indent=2).encode()
        try:
            async with asyncio.timeout(self.timeout):
                status = await post(self.url, payload, signature(self.secret, payload, int(time.time())))
            problem = None if status in HTTP_OK else f"HTTP {status}"
        except (OSError, TimeoutError, h11.ProtocolError, ValueError) as error:
            problem = type(error).__name__
        if problem is None:
            self.store.record_attempt(delivery, "delivered", delivery.due)
            return
        last = delivery.attempts + 1 >= self.tries
        delay = self.first_delay * 2**delivery.attempts
        self.store.record_attempt(delivery, "failed" if last else "pending", time.time() + delay)
        then = "given up" if last else f"again in {delay:g} s"
        logger.warning("webhook %s (%s): %s, %s", delivery.event["id"], delivery.event["type"], problem, then)


async def post(url: str, payload: bytes, signed: str) -> int:
    """Send one webhook and return the status.

    Written on asyncio and h11 rather than a thread with a blocking client, so that a stop of the double cancels it
    at once however long the receiver sleeps.
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
