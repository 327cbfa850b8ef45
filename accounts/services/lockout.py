"""Count failed attempts at codes and passwords in the database, under a row lock.

After 5 failures in a row within 10 minutes, or 10 within an hour, nothing more is compared until they are old enough.
From the 10th wrong code in a day on, each doubles the wait: an hour, two, four, … NIST SP 800-63B (5.2.2) requires a
limit; six digits (one in a million) require this stricter one.

Attempts from a network that the owner knows are counted apart from strangers' (services/known_networks.py).
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Q

from accounts.models import FailedAttempts
from auctioncraft.core import clock
from auctioncraft.core.errors import TooManyRequests

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models import QuerySet

CONSECUTIVE_LIMIT, CONSECUTIVE_WINDOW = 5, timedelta(minutes=10)
TOTAL_LIMIT, TOTAL_WINDOW = 10, timedelta(hours=1)
# Of codes only. The wait after the failure that reaches the limit; each further one doubles it.
DAILY_LIMIT, DAILY_WINDOW, DAILY_WAIT = 10, timedelta(days=1), timedelta(hours=1)
# Wrong codes of a network (IPv4 /24, IPv6 /48) at addresses that do not know it, all together.
NETWORK_LIMIT, NETWORK_WINDOW = 30, timedelta(hours=1)


def attempts_name(email: str, allowance: str) -> str:
    """Return the name under which attempts at an address count: strangers' together, others by their allowance."""
    return f"{email} {allowance}" if allowance else email


def attempts_at(email: str) -> QuerySet[FailedAttempts]:
    """Return all counts of an address."""
    of_address = Q()
    for kind in FailedAttempts.Kind:
        key = f"{kind.value}:{email}"
        of_address |= Q(pk=key) | Q(pk__startswith=f"{key} ")
    return FailedAttempts.objects.filter(of_address)


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
    failures = attempts.failures
    if _kind(attempts) == FailedAttempts.Kind.CODE_NETWORK:
        wait = _seconds_to_wait(failures, NETWORK_LIMIT, NETWORK_WINDOW, now)
    else:
        consecutive = failures[max(0, len(failures) - attempts.consecutive_failures) :]
        wait = max(
            _seconds_to_wait(consecutive, CONSECUTIVE_LIMIT, CONSECUTIVE_WINDOW, now),
            _seconds_to_wait(failures, TOTAL_LIMIT, TOTAL_WINDOW, now),
        )
    if _kind(attempts) == FailedAttempts.Kind.CODE:
        wait = max(wait, _seconds_after_daily_limit(failures, now))
    if wait:
        raise TooManyRequests("Too many failed attempts. Please try again later.", retry_after=wait)


def record_failure(attempts: FailedAttempts, now: datetime) -> None:
    """Add a failure, and remove those that no longer count."""
    window = DAILY_WINDOW if _kind(attempts) == FailedAttempts.Kind.CODE else TOTAL_WINDOW
    since = (now - window).timestamp()
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


def _seconds_after_daily_limit(failures: list[float], now: datetime) -> int:
    today = [failed_at for failed_at in failures if failed_at > (now - DAILY_WINDOW).timestamp()]
    if len(today) < DAILY_LIMIT:
        return 0
    wait: timedelta = min(DAILY_WAIT * 2 ** (len(today) - DAILY_LIMIT), DAILY_WINDOW)
    return max(0, math.ceil(max(today) + wait.total_seconds() - now.timestamp()))


def _kind(attempts: FailedAttempts) -> str:
    return attempts.key.partition(":")[0]
