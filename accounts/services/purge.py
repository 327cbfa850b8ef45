"""Deleting what nobody needs any more, in batches that keep no writer waiting for long."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Exists, OuterRef, Q

from accounts.models import FailedAttempts, OneTimeCode, PreviousEmail, Session
from accounts.services import lockout
from auctioncraft.core.purge import BATCH, delete_in_batches

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from django.db.models import QuerySet

CODE_RETENTION: Final = timedelta(hours=24)  # the longest limit counts those of an hour
SESSION_RETENTION: Final = timedelta(days=30)  # after their end: so long a device is known again
PREVIOUS_EMAIL_RETENTION: Final = timedelta(days=30)


def purge(*, limit: int = BATCH, seconds: float = 20) -> dict[str, int]:
    """Delete codes, counted failures, sign-ins and former addresses whose time is over; return how many of each.

    Begins no batch after `seconds`: the rest is for the next sweep. Rows that somebody has locked are left to it too.
    """
    until = time.monotonic() + seconds
    return {name: delete_in_batches(old, batch=limit, seconds=until - time.monotonic()) for name, old in _OLD.items()}


def _codes(now: datetime) -> QuerySet[OneTimeCode]:
    return OneTimeCode.objects.filter(created_at__lt=now - CODE_RETENTION)


def _guards(now: datetime) -> QuerySet[FailedAttempts]:
    return FailedAttempts.objects.filter(
        Q(last_failed_at__isnull=True) | Q(last_failed_at__lt=now - lockout.TOTAL_WINDOW)
    )


def _sign_ins(now: datetime) -> QuerySet[Session]:
    since = now - SESSION_RETENTION
    # The last one of an account stays: by it the next is known not to be the very first.
    later = Session.objects.filter(user=OuterRef("user"), created_at__gt=OuterRef("created_at"))
    return Session.objects.filter(Q(ended_at__lt=since) | Q(expires_at__lt=since)).filter(Exists(later))


def _addresses(now: datetime) -> QuerySet[PreviousEmail]:
    return PreviousEmail.objects.filter(replaced_at__lt=now - PREVIOUS_EMAIL_RETENTION)


_OLD: Final[dict[str, Callable[[datetime], QuerySet[Any]]]] = {
    "codes": _codes,
    "guards": _guards,
    "sign_ins": _sign_ins,
    "former_addresses": _addresses,
}
