"""Retries: work that leaves the process starts as a row, and a job attempts it until it is done.

A model inherits RetryModel and keeps its own idea of what is pending; a job hands that queryset to `process_due`:

    POLICY = RetryPolicy(first_delay=timedelta(seconds=10), max_attempts=23, stop_on=(errors.StripeDown,))

    def send_refunds() -> int:
        return retry.process_due(Refund.objects.pending(), _send, policy=POLICY)

    def _send(refund: Refund) -> None:  # outside any transaction; commits its own result, or raises
        found = _find_at_stripe(refund) if refund.was_attempted else None
        _record(refund, found or _ask_stripe(refund))

- Rows are claimed one at a time: `SKIP LOCKED` on PostgreSQL, and a lease that is committed before the work begins. If
  a worker is killed, its lease runs out and another worker takes over. When the far side does not answer (`stop_on`),
  the run ends, and the other rows are as they were: they have no lease and no attempt was counted. The row itself backs
  off, up to the longest delay, and is never given up because of that.
- The order is `next_attempt_at`. A row that fails backs off, with jitter, so it moves behind the others.
- A run begins nothing after `seconds`. What is left waits for the next run.
- A request that works on its own row calls `attempt_now`, which does not count as one of the job's attempts. Such a row
  is created with `next_attempt_at=POLICY.lease_end()`, so that the job leaves it alone meanwhile.
- A row that is given up has no `next_attempt_at`. `restart` makes it due again, and also a row that backs off.

Add a partial index on `next_attempt_at` with the condition of what is pending.
"""

from __future__ import annotations

import logging
import math
import time
import uuid
import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, TypeVar

from django.db import models, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from auctioncraft.core import clock
from auctioncraft.core.errors import DomainError

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

UNFINISHED: Final = "unfinished"
TOO_MANY_ATTEMPTS: Final = "too_many_attempts"


class RetryModel(models.Model):
    """A row that a job works on until it is done. The subclass defines what is pending."""

    attempts = models.PositiveIntegerField(default=0, help_text="Attempts of the job.")
    next_attempt_at = models.DateTimeField(
        null=True, blank=True, db_default=Now(), help_text="When the job tries again. Empty: it has given up."
    )
    last_attempt_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=200, blank=True)
    lease = models.UUIDField(
        null=True, blank=True, editable=False, help_text="Claim of the worker that is processing the row."
    )

    # Set by the claim: whether an earlier attempt may have reached the far side.
    was_attempted = False

    class Meta:
        abstract = True


Row = TypeVar("Row", bound=RetryModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """When to try again. `stop_on`: exceptions which mean that the far side is unreachable or does not answer.

    They use up only as many attempts as the delay needs to grow to the longest: an outage never gives a row up.
    `lease` must be longer than the longest work takes with all its time-outs.
    """

    first_delay: timedelta = timedelta(seconds=10)
    longest_delay: timedelta = timedelta(hours=24)
    max_attempts: int = 17
    lease: timedelta = timedelta(minutes=2)
    stop_on: tuple[type[Exception], ...] = ()

    def delay(self, *, pk: object, attempts: int) -> timedelta:
        """Return how long to wait after the given number of attempts: doubling, less up to a quarter of jitter.

        The jitter is made of the row's key, so that a simulation replays.
        """
        longest: timedelta = min(self.first_delay * 2 ** min(max(attempts, 1) - 1, 30), self.longest_delay)
        return longest * (1 - zlib.crc32(f"{pk}:{attempts}".encode()) / 2**34)

    def count_outage(self, attempts: int) -> int:
        """Return how many attempts a row has after one that found the far side away, of which it was the last."""
        growing = math.ceil(math.log2(self.longest_delay / self.first_delay)) + 1
        return max(attempts - 1, min(attempts, growing, self.max_attempts - 1))

    def lease_end(self) -> datetime:
        """Return when a lease that begins now ends."""
        return clock.now() + self.lease


class RetryLater(Exception):
    """Not a failure: the row is not ready. The next attempt is after `delay`, and all attempts are ahead of the row."""

    def __init__(self, delay: timedelta) -> None:
        """`delay`: from now."""
        self.delay = delay
        super().__init__(f"again in {delay}")


class AttemptFailed(Exception):
    """An expected failure; its text is kept as `last_error` and logged without a traceback."""


class GiveUp(Exception):
    """No further attempt makes sense; its text is kept as `last_error`."""


class _Outcome(Enum):
    DONE = 1
    NOT_DONE = 2
    AWAY = 3


def process_due(
    pending: QuerySet[Row],
    work: Callable[[Row], Any],
    *,
    policy: RetryPolicy,
    seconds: float = 20,
) -> int:
    """Call `work` with each pending row that is due, one after the other; return how many are done.

    `work` commits its own result, after which the row is not in `pending`. It raises RetryLater, AttemptFailed, GiveUp,
    one of `policy.stop_on`, which ends the run, or any other error, which is logged. The row is given up after
    `policy.max_attempts` that failed, and on GiveUp. Must not be called in a transaction.
    """
    until = time.monotonic() + seconds
    done = 0
    while time.monotonic() < until and (row := _claim_next(pending, policy)):
        outcome = _attempt(row, pending, work, policy)
        if outcome is _Outcome.AWAY:
            break
        done += outcome is _Outcome.DONE
    return done


def attempt_now(pending: QuerySet[Row], pk: object, work: Callable[[Row], Any], *, policy: RetryPolicy) -> bool:
    """Call `work` with one pending row for a caller who waits, due or not; return whether it is done.

    False if it is not pending, or leased by a worker. Does not count as an attempt of the job and does not delay the
    job's next attempt. Raises what `work` raises.
    """
    row, planned = _claim_one(pending, pk, policy)
    if row is None:
        return False
    try:
        work(row)
    except Exception as error:
        soon = clock.now() + policy.delay(pk=row.pk, attempts=row.attempts)
        _release(row, next_attempt_at=planned and min(planned, soon), last_error=_reason(error))
        raise
    return _finish(row, pending, policy)


def restart(rows: QuerySet[Row]) -> int:
    """Make rows due now, with all attempts ahead of them, also those given up; return how many.

    A row that a worker has is left to it. The caller's job works on them in its next run.
    """
    now = clock.now()
    free = rows.filter(Q(lease__isnull=True) | Q(next_attempt_at__lte=now))
    return free.update(attempts=0, next_attempt_at=now)


def _claim_next(pending: QuerySet[Row], policy: RetryPolicy) -> Row | None:
    """Lease the first due row that no other worker is claiming; committed on return."""
    if not pending.filter(next_attempt_at__lte=clock.now()).exists():
        return None  # without taking SQLite's one write lock for nothing
    with transaction.atomic(durable=True):
        now = clock.now()
        due = pending.filter(next_attempt_at__lte=now).order_by("next_attempt_at", "pk")
        row = due.select_for_update(skip_locked=True, no_key=True, of=("self",)).first()
        return row and _lease(row, now, policy, counted=1)


def _claim_one(pending: QuerySet[Row], pk: object, policy: RetryPolicy) -> tuple[Row | None, datetime | None]:
    """Lease this row unless a worker has it; return it, and when its next attempt was planned."""
    with transaction.atomic(durable=True):
        now = clock.now()
        free = pending.filter(Q(lease__isnull=True) | Q(next_attempt_at__lte=now), pk=pk)
        row = free.select_for_update(no_key=True, of=("self",)).first()
        planned = row.next_attempt_at if row else None
        return row and _lease(row, now, policy, counted=0), planned


def _lease(row: Row, now: datetime, policy: RetryPolicy, *, counted: int) -> Row:
    row.was_attempted = row.last_attempt_at is not None
    row.attempts += counted
    row.lease, row.last_attempt_at, row.next_attempt_at = uuid.uuid4(), now, now + policy.lease
    row.save(update_fields=("attempts", "lease", "last_attempt_at", "next_attempt_at"))
    return row


def _attempt(row: Row, pending: QuerySet[Row], work: Callable[[Row], Any], policy: RetryPolicy) -> _Outcome:
    if row.attempts > policy.max_attempts:  # its last worker was killed
        _give_up(row, TOO_MANY_ATTEMPTS)
        return _Outcome.NOT_DONE
    try:
        work(row)
    except RetryLater as later:
        _release(row, attempts=0, next_attempt_at=clock.now() + later.delay, last_error="")
        return _Outcome.NOT_DONE
    except GiveUp as reason:
        _give_up(row, str(reason))
        return _Outcome.NOT_DONE
    except Exception as error:  # noqa: BLE001 (whatever is wrong with one row)
        _record_failure(row, error, policy)
        return _Outcome.AWAY if isinstance(error, policy.stop_on) else _Outcome.NOT_DONE
    return _Outcome.DONE if _finish(row, pending, policy) else _Outcome.NOT_DONE


def _record_failure(row: RetryModel, error: Exception, policy: RetryPolicy) -> None:
    reason = _reason(error)
    expected = isinstance(error, (AttemptFailed, DomainError, *policy.stop_on))
    logger.log(
        logging.WARNING if expected else logging.ERROR,
        "%s %s failed, attempt %s: %s",
        type(row).__name__,
        row.pk,
        row.attempts,
        reason,
        exc_info=None if expected else error,
    )
    retry_at = clock.now() + policy.delay(pk=row.pk, attempts=row.attempts)
    if isinstance(error, policy.stop_on):
        _release(row, attempts=policy.count_outage(row.attempts), next_attempt_at=retry_at, last_error=reason)
    elif row.attempts >= policy.max_attempts:
        _give_up(row, reason)
    else:
        _release(row, next_attempt_at=retry_at, last_error=reason)


def _finish(row: Row, pending: QuerySet[Row], policy: RetryPolicy) -> bool:
    """End the lease of a row whose work returned; return whether it is done."""
    pk = row.pk
    if pending.filter(pk=pk).exists():
        delay = policy.delay(pk=pk, attempts=row.attempts)
        _release(row, next_attempt_at=clock.now() + delay, last_error=UNFINISHED)
        return False
    _release(row, next_attempt_at=clock.now(), last_error="")
    return True


def _give_up(row: RetryModel, reason: str) -> None:
    logger.warning("%s %s given up: %s", type(row).__name__, row.pk, reason)
    _release(row, next_attempt_at=None, last_error=reason)


def _release(row: RetryModel, **changes: Any) -> None:
    """End our lease, unless it ran out and another worker has the row, or `work` deleted the row."""
    changes["last_error"] = changes["last_error"][:200]
    ours = type(row)._default_manager.filter(pk=row.pk, lease=row.lease)  # noqa: SLF001 (public by documentation)
    ours.update(lease=None, **changes)


def _reason(error: Exception) -> str:
    """Return what may be stored of an error: not the text of others, which may quote an e-mail or a request."""
    if isinstance(error, AttemptFailed):
        return str(error)
    if isinstance(error, DomainError):
        return str(error.extra.get("stripe_code") or error.code)
    return type(error).__name__
