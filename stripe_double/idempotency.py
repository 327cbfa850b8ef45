"""Idempotency keys: the same key and parameters return the same response, and the work is done once.

Source: https://docs.stripe.com/api/idempotent_requests
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stripe_double.errors import StripeError

if TYPE_CHECKING:
    from stripe_double.store import Store

MAX_KEY = 255
REMEMBERED_FOR = 24 * 3600
ELSE = "Try using a key other than '{key}' if you meant to execute a different request."


@dataclass(frozen=True)
class Saved:
    """The stored response of an earlier request with the same key."""

    status: int
    body: str
    request_id: str


def fingerprint(pairs: list[tuple[str, str]]) -> str:
    """Return a digest of the parameters, in any order; the parameters themselves (card numbers) are not kept."""
    return hashlib.sha256(json.dumps(sorted(pairs)).encode()).hexdigest()


def claim(store: Store, key: str, path: str, digest: str, request_id: str) -> Saved | None:
    """Reserve the key for this request, or return its stored response.

    Raises 400 `idempotency_error` when the key was used with another path or other parameters, and 409
    `idempotency_key_in_use` while the first request with it still runs.
    """
    if len(key) > MAX_KEY:
        raise StripeError(f"Idempotency keys can have up to {MAX_KEY} characters.", type_="idempotency_error")
    with store.transaction():
        store.execute("DELETE FROM answers WHERE created < ? AND status IS NOT NULL", time.time() - REMEMBERED_FOR)
        # The insert decides: of two simultaneous requests exactly one adds the row.
        added = store.execute(
            "INSERT INTO answers (key, path, fingerprint, request, created) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (key) DO NOTHING",
            *(key, path, digest, request_id, time.time()),
        )
        if added.rowcount == 1:
            return None
        row = store.execute(
            "SELECT path, fingerprint, status, body, request FROM answers WHERE key = ?", key
        ).fetchone()
    known_path, known_digest, status, body, request = row
    if known_path != path:
        message = (
            f"Keys for idempotent requests can only be used for the same endpoint they were first used for "
            f"('{path}' vs '{known_path}'). " + ELSE.format(key=key)
        )
        raise StripeError(message, type_="idempotency_error")
    if known_digest != digest:
        message = (
            "Keys for idempotent requests can only be used with the same parameters they were first used with. "
            + ELSE.format(key=key)
        )
        raise StripeError(message, type_="idempotency_error")
    if status is None:
        message = (
            f"There is currently another in-progress request using this Idempotent Key (that probably means you "
            f"submitted twice, and the other request is still going through): {key}. Please try again later."
        )
        raise StripeError(message, status=409, type_="idempotency_error", code="idempotency_key_in_use")
    return Saved(status, body, request)


def keep(store: Store, key: str, status: int, body: str) -> None:
    """Store the response in the transaction of the work."""
    store.execute("UPDATE answers SET status = ?, body = ? WHERE key = ?", status, body, key)


def forget(store: Store, key: str) -> None:
    """Release a key whose request failed before its work began."""
    store.execute("DELETE FROM answers WHERE key = ? AND status IS NULL", key)
