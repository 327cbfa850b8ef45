"""Counting failures where they cannot be lost: in the database, under a lock, whatever becomes of a cache.

5 failures in a row within 10 minutes, or 10 within an hour, and nothing more is compared until they are old enough.
NIST SP 800-63B (5.2.2) wants the tries at an account limited; six digits (one in a million) make us stricter.
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import transaction

from accounts.models import Guard
from auctioncraft import clock
from auctioncraft.errors import TooManyRequests

if TYPE_CHECKING:
    from datetime import datetime

IN_A_ROW, ROW_WINDOW = 5, timedelta(minutes=10)
IN_ALL, ALL_WINDOW = 10, timedelta(hours=1)


def lock(kind: Guard.Kind, name: str) -> Guard:
    """Lock the guard of an address or a network until the transaction ends; read the clock after."""
    key = f"{kind.value}:{name}"
    locked = Guard.objects.select_for_update(no_key=True).filter(pk=key)
    while (guard := locked.first()) is None:
        # Somebody may be creating it now: their row is waited for and taken. If it was purged between, once more.
        Guard.objects.bulk_create([Guard(key=key)], ignore_conflicts=True)
    return guard


def refuse_if_blocked(guard: Guard, now: datetime) -> None:
    """Raise TooManyRequests, with the seconds until a try is possible again, if too many failed."""
    streak = guard.failures[max(0, len(guard.failures) - guard.streak) :]
    wait = max(_wait(streak, IN_A_ROW, ROW_WINDOW, now), _wait(guard.failures, IN_ALL, ALL_WINDOW, now))
    if wait:
        raise TooManyRequests("Too many failed tries. Try again later.", retry_after=wait)


def failed(guard: Guard, now: datetime) -> None:
    """Record a failure, and forget those that count no longer."""
    since = (now - ALL_WINDOW).timestamp()
    guard.failures = [*(moment for moment in guard.failures if moment > since), now.timestamp()]
    guard.streak += 1
    guard.failed_at = now
    guard.save(update_fields=["failures", "streak", "failed_at"])


def succeeded(guard: Guard, *, withdraw: datetime | None = None) -> None:
    """End the row of failures; those of the last hour still count together. `withdraw`: one that was none after all."""
    if withdraw is not None and withdraw.timestamp() in guard.failures:
        guard.failures.remove(withdraw.timestamp())
    guard.streak = 0
    guard.save(update_fields=["failures", "streak"])


def count_try(kind: Guard.Kind, name: str) -> datetime:
    """Count a try as failed before it is compared, in a transaction of its own; return when, to withdraw it by.

    For what takes long to compare: of a thousand at once no more are compared than the guard lets through. Raises
    TooManyRequests, and counts nothing.
    """
    with transaction.atomic():
        guard = lock(kind, name)
        now = clock.now()
        refuse_if_blocked(guard, now)
        failed(guard, now)
    return now


def seconds_until(moment: datetime, now: datetime) -> int:
    """Return whole seconds, rounded up: whoever waits them is not refused again for being a moment early."""
    return max(0, math.ceil((moment - now).total_seconds()))


def _wait(failures: list[float], limit: int, window: timedelta, now: datetime) -> int:
    counted = sorted(failures)[-limit:]
    if len(counted) < limit:
        return 0
    return max(0, math.ceil(counted[0] + window.total_seconds() - now.timestamp()))
