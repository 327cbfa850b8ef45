"""Idempotency-Key: a request that is sent again gets the stored response of the first time.

Like Stripe's (https://docs.stripe.com/api/idempotent_requests), but the response commits with the effect, so there is
never one without the other. A refused request stores nothing and may be sent again.
`run_idempotent` is for work in the database, `run_reserved` for work at Stripe. A bid uses `stored_response` and
`new_row` itself: it writes all its rows in one statement.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TypeVar

import orjson
from django.db import IntegrityError, transaction

from auctioncraft.core.errors import DomainError, IdempotencyKeyReused, Unavailable
from auctioncraft.core.purge import delete_in_batches, oldest
from auctioncraft.models import IdempotencyKey

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

KEY_RETENTION: Final = timedelta(days=30)
# What a row of `run_reserved` holds in place of a response.
_RESERVED: Final[dict[str, Any]] = {}
_SENT_AGAIN: Final = {"sent_again": True}


@dataclass(frozen=True, slots=True)
class IdempotentRequest:
    """A request that may be sent again: by whom, under which key (None: without one), and for what."""

    user_id: int
    key: str | None
    fingerprint: str


def identify(operation: str, *, user_id: int, key: str | None, **parameters: Any) -> IdempotentRequest:
    """Return the request; the operation and its parameters tell it from another. 9 and 9.00 are the same amount."""
    fingerprint = ""
    if key:
        content = orjson.dumps([operation, parameters], default=_to_text, option=orjson.OPT_SORT_KEYS)
        fingerprint = hashlib.sha256(content).hexdigest()
    return IdempotentRequest(user_id, key, fingerprint)


def _to_text(value: Any) -> str:
    return format(value.normalize(), "f") if isinstance(value, Decimal) else str(value)


def stored_response(request: IdempotentRequest) -> dict[str, Any] | None:
    """Return the response stored under the request's key, or None. Raises IdempotencyKeyReused for another request."""
    if not request.key:
        return None
    stored = IdempotencyKey.objects.filter(user_id=request.user_id, key=request.key).first()
    if stored is None:
        return None
    if stored.fingerprint != request.fingerprint:
        raise IdempotencyKeyReused
    response: dict[str, Any] = stored.response
    return response


def new_row(request: IdempotentRequest, response: dict[str, Any]) -> IdempotencyKey | None:
    """Return the unsaved row that stores a response; None without a key. Saving it twice is an IntegrityError."""
    if not request.key:
        return None
    return IdempotencyKey(user_id=request.user_id, key=request.key, fingerprint=request.fingerprint, response=response)


def run_idempotent(request: IdempotentRequest, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Run `work` in a transaction and store what it returns; for a request sent again, return that instead.

    Of two at once, both work and one commits; the other is rolled back and returns the stored response, also if it was
    refused because of what the first one did. Raises what `work` raises, and IdempotencyKeyReused.
    """
    if not request.key:
        return work()
    if (stored := stored_response(request)) is not None:
        return stored
    try:
        with transaction.atomic():
            # As it is read from the database later: times as text.
            response: dict[str, Any] = orjson.loads(orjson.dumps(work(), option=orjson.OPT_UTC_Z))
            if row := new_row(request, response):
                row.save(force_insert=True)
    except (IntegrityError, DomainError):
        if (stored := stored_response(request)) is None:
            raise
        return stored
    return response


def run_reserved(request: IdempotentRequest, work: Callable[[], T]) -> T:
    """Commit the key, then run `work`, never in a transaction; another request with the key is refused from then on.

    For work that calls Stripe, finds the same result when it is repeated, and returns a secret, which is not stored.
    The same request sent again runs it again, also while the first is still running. A refused request gives the key
    back, unless it was sent again meanwhile; one whose outcome is unknown keeps it.
    Raises what `work` raises, and IdempotencyKeyReused.
    """
    reserved = _reserve(request)
    try:
        return work()
    except Unavailable:
        raise
    except DomainError:
        if reserved:
            IdempotencyKey.objects.filter(pk=reserved.pk, response=_RESERVED).delete()
        raise


def _reserve(request: IdempotentRequest) -> IdempotencyKey | None:
    """Return the row that reserves the key; None without a key, or if this request reserved it before."""
    row = new_row(request, _RESERVED)
    while row:
        try:
            with transaction.atomic(durable=True):
                row.save(force_insert=True)
        except IntegrityError:
            mine = IdempotencyKey.objects.filter(
                user_id=request.user_id, key=request.key, fingerprint=request.fingerprint
            )
            if mine.update(response=_SENT_AGAIN):
                return None
            # Raises, or the key was given back just now: the next round inserts it.
            stored_response(request)
        else:
            break
    return row


def purge() -> int:
    """Delete the keys that were used 30 days ago; return how many."""
    return delete_in_batches(lambda now: oldest(IdempotencyKey).filter(created_at__lt=now - KEY_RETENTION))
