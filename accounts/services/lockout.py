"""Count failed attempts at codes and passwords in the database, under a row lock.

After 5 failures in a row within 10 minutes, or 10 within an hour, nothing more is compared until they are old enough.
NIST SP 800-63B (5.2.2) requires a limit; six digits (one in a million) require this stricter one.
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
    """Lock the attempts at an address or of a network until the transaction ends. Read the clock after this."""
    key = f"{kind.value}:{name}"
    locked = FailedAttempts.objects.select_for_update(no_key=True).filter(pk=key)
    while (attempts := locked.first()) is None:
        # Another transaction may create the row now: wait for it and lock its row. If it was purged, try again.
        FailedAttempts.objects.bulk_create([FailedAttempts(key=key)], ignore_conflicts=True)
    return attempts


def check_not_locked_out(attempts: FailedAttempts, now: datetime) -> None:
    """Raise TooManyRequests, with the seconds to wait, if there were too many failures."""
    consecutive = attempts.failures[max(0, len(attempts.failures) - attempts.consecutive_failures) :]
    wait = max(
        _seconds_to_wait(consecutive, CONSECUTIVE_LIMIT, CONSECUTIVE_WINDOW, now),
        _seconds_to_wait(attempts.failures, TOTAL_LIMIT, TOTAL_WINDOW, now),
    )
    if wait:
        raise TooManyRequests("Too many failed attempts. Please try again later.", retry_after=wait)


def record_failure(attempts: FailedAttempts, now: datetime) -> None:
    """Add a failure, and remove those that no longer count."""
    since = (now - TOTAL_WINDOW).timestamp()
    attempts.failures = [*(failed_at for failed_at in attempts.failures if failed_at > since), now.timestamp()]
    attempts.consecutive_failures += 1
    attempts.last_failed_at = now
    attempts.save(update_fields=["failures", "consecutive_failures", "last_failed_at"])


def record_success(attempts: FailedAttempts, *, withdraw: datetime | None = None) -> None:
    """End the series of consecutive failures. `withdraw`: the time of a counted attempt that succeeded."""
    if withdraw is not None and withdraw.timestamp() in attempts.failures:
        attempts.failures.remove(withdraw.timestamp())
    attempts.consecutive_failures = 0
    attempts.save(update_fields=["failures", "consecutive_failures"])


def record_attempt(kind: FailedAttempts.Kind, name: str) -> datetime:
    """Count an attempt as failed before it is compared, in its own transaction; return its time, to withdraw it.

    For slow comparisons: of a thousand parallel attempts only as many are compared as the limits allow. Raises
    TooManyRequests without counting.
    """
    with transaction.atomic():
        attempts = lock_attempts(kind, name)
        now = clock.now()
        check_not_locked_out(attempts, now)
        record_failure(attempts, now)
    return now


def seconds_until(moment: datetime, now: datetime) -> int:
    """Return whole seconds, rounded up, so that a client that waits them is not refused again."""
    return max(0, math.ceil((moment - now).total_seconds()))


def _seconds_to_wait(failures: list[float], limit: int, window: timedelta, now: datetime) -> int:
    counted = sorted(failures)[-limit:]
    if len(counted) < limit:
        return 0
    return max(0, math.ceil(counted[0] + window.total_seconds() - now.timestamp()))
