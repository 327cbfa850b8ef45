"""Idempotency-Key: a request that is sent again gets its first answer again.

As Stripe's (https://docs.stripe.com/api/idempotent_requests), but the answer commits with the effect, so there is no
moment in which one is there without the other. A refused request is not kept: nothing was written, and it may be tried
again.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import orjson
from django.db import IntegrityError, transaction

from auctioncraft.core.errors import DomainError, IdempotencyKeyReused
from auctioncraft.core.purge import delete_in_batches, oldest
from auctioncraft.models import IdempotencyKey

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from django.db.models import QuerySet

KEY_RETENTION: Final = timedelta(days=30)


def fingerprint(what: str, **parameters: Any) -> str:
    """Return what identifies a request: the use case and its parameters. 9 and 9.00 are the same amount."""
    return hashlib.sha256(orjson.dumps([what, parameters], default=_plain, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _plain(value: Any) -> str:
    return format(value.normalize(), "f") if isinstance(value, Decimal) else str(value)


def stored_response(*, user_id: int, key: str, fingerprint: str) -> dict[str, Any] | None:
    """Return the answer kept under the key, or None. Raises IdempotencyKeyReused if it answers something else."""
    kept = IdempotencyKey.objects.filter(user_id=user_id, key=key).first()
    if kept is None:
        return None
    if kept.fingerprint != fingerprint:
        raise IdempotencyKeyReused
    answer: dict[str, Any] = kept.answer
    return answer


def reserve_key(*, user_id: int, key: str | None, fingerprint: str) -> None:
    """Have the key stand for a request that was answered, without its answer, which may hold a secret.

    For what finds the same again by itself. `stored_response` then refuses the key to any other request.
    """
    if key:
        kept = IdempotencyKey(user_id=user_id, key=key, fingerprint=fingerprint, answer={})
        IdempotencyKey.objects.bulk_create([kept], ignore_conflicts=True)


def run_idempotent(
    *, user_id: int, key: str | None, fingerprint: str, work: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """Run `work` in a transaction and keep its answer under the key; run again, return that answer.

    Two at once: both work, one commits, the other's effect is rolled back and it returns the first one's answer. So it
    does if it was refused for what the first one did. Raises what `work` raises, and IdempotencyKeyReused.
    """
    if not key:
        return work()

    def answered() -> dict[str, Any]:
        # As it will be read from the database, times as text.
        return orjson.loads(orjson.dumps(work(), option=orjson.OPT_UTC_Z))  # type: ignore[no-any-return]

    if (answer := stored_response(user_id=user_id, key=key, fingerprint=fingerprint)) is not None:
        return answer
    try:
        with transaction.atomic():
            answer = answered()
            IdempotencyKey.objects.create(user_id=user_id, key=key, fingerprint=fingerprint, answer=answer)
    except (IntegrityError, DomainError):
        if (answer := stored_response(user_id=user_id, key=key, fingerprint=fingerprint)) is None:
            raise
    return answer


def purge() -> int:
    """Delete the keys that were used 30 days ago; return how many."""
    return delete_in_batches(_old_keys)


def _old_keys(now: datetime) -> QuerySet[IdempotencyKey]:
    return oldest(IdempotencyKey).filter(created_at__lt=now - KEY_RETENTION)
