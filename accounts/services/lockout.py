"""Counting failures where they cannot be lost: in the database, under a lock, whatever becomes of a cache.

5 failures in a row within 10 minutes, or 10 within an hour, and nothing more is compared until they are old enough.
NIST SP 800-63B (5.2.2) wants the tries at an account limited; six digits (one in a million) make us stricter.
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import transaction

from accounts.models import FailedAttempts
from auctioncraft.core import clock
from auctioncraft.core.errors import TooManyRequests

if TYPE_CHECKING:
    from datetime import datetime

CONSECUTIVE_LIMIT, CONSECUTIVE_WINDOW = 5, timedelta(minutes=10)
TOTAL_LIMIT, TOTAL_WINDOW = 10, timedelta(hours=1)


def lock_attempts(kind: FailedAttempts.Kind, name: str) -> FailedAttempts:
    """Lock the guard of an address or a network until the transaction ends; read the clock after."""
    key = f"{kind.value}:{name}"
    locked = FailedAttempts.objects.select_for_update(no_key=True).filter(pk=key)
    while (guard := locked.first()) is None:
        # Somebody may be creating it now: their row is waited for and taken. If it was purged between, once more.
        FailedAttempts.objects.bulk_create([FailedAttempts(key=key)], ignore_conflicts=True)
    return guard


def check_not_locked_out(guard: FailedAttempts, now: datetime) -> None:
    """Raise TooManyRequests, with the seconds until a try is possible again, if too many failed."""
    consecutive_failures = guard.failures[max(0, len(guard.failures) - guard.consecutive_failures) :]
    wait = max(
        _wait(consecutive_failures, CONSECUTIVE_LIMIT, CONSECUTIVE_WINDOW, now),
        _wait(guard.failures, TOTAL_LIMIT, TOTAL_WINDOW, now),
    )
    if wait:
        raise TooManyRequests("Too many failed tries. Try again later.", retry_after=wait)


def record_failure(guard: FailedAttempts, now: datetime) -> None:
    """Record a failure, and forget those that count no longer."""
    since = (now - TOTAL_WINDOW).timestamp()
    guard.failures = [*(moment for moment in guard.failures if moment > since), now.timestamp()]
    guard.consecutive_failures += 1
    guard.last_failed_at = now
    guard.save(update_fields=["failures", "consecutive_failures", "last_failed_at"])


def record_success(guard: FailedAttempts, *, withdraw: datetime | None = None) -> None:
    """End the row of failures; those of the last hour still count together. `withdraw`: one that was none after all."""
    if withdraw is not None and withdraw.timestamp() in guard.failures:
        guard.failures.remove(withdraw.timestamp())
    guard.consecutive_failures = 0
    guard.save(update_fields=["failures", "consecutive_failures"])


def record_attempt(kind: FailedAttempts.Kind, name: str) -> datetime:
    """Count a try as failed before it is compared, in a transaction of its own; return when, to withdraw it by.

    For what takes long to compare: of a thousand at once no more are compared than the guard lets through. Raises
    TooManyRequests, and counts nothing.
    """
    with transaction.atomic():
        guard = lock_attempts(kind, name)
        now = clock.now()
        check_not_locked_out(guard, now)
        record_failure(guard, now)
    return now


def seconds_until(moment: datetime, now: datetime) -> int:
    """Return whole seconds, rounded up: whoever waits them is not refused again for being a moment early."""
    return max(0, math.ceil((moment - now).total_seconds()))


def _wait(failures: list[float], limit: int, window: timedelta, now: datetime) -> int:
    counted = sorted(failures)[-limit:]
    if len(counted) < limit:
        return 0
    return max(0, math.ceil(counted[0] + window.total_seconds() - now.timestamp()))
