"""Deleting what nobody needs any more, in batches that keep no writer waiting for long."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from accounts.models import FormerAddress, Guard, OneTimeCode, SignIn
from accounts.services import guards
from auctioncraft import clock

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from django.db.models import QuerySet

BATCH: Final = 500  # rows a transaction
CODES_KEPT: Final = timedelta(hours=24)  # the longest limit counts those of an hour
SIGN_INS_KEPT: Final = timedelta(days=30)  # after their end: so long a device is known again
ADDRESSES_KEPT: Final = timedelta(days=30)


def purge(*, limit: int = BATCH, seconds: float = 20) -> dict[str, int]:
    """Delete codes, counted failures, sign-ins and former addresses whose time is over; return how many of each.

    Begins no batch after `seconds`: the rest is for the next sweep. Rows that somebody has locked are left to it too.
    """
    until = time.monotonic() + seconds
    return {name: _delete(old, limit, until) for name, old in _OLD.items()}


def _delete(old: Callable[[datetime], QuerySet[Any]], limit: int, until: float) -> int:
    deleted = 0
    while time.monotonic() < until:
        # The first look takes no lock, so that an idle sweep does not stand in the way of SQLite's writers.
        ids = list(old(clock.now()).order_by("pk").values_list("pk", flat=True)[:limit])
        if not ids:
            break
        with transaction.atomic():
            # Looked at again under the lock: a try may have failed meanwhile.
            rows = old(clock.now()).filter(pk__in=ids).select_for_update(skip_locked=True, of=("self",))
            locked = list(rows.order_by("pk").values_list("pk", flat=True))
            rows.model._default_manager.filter(pk__in=locked).delete()  # noqa: SLF001 (public by documentation)
        deleted += len(locked)
        if len(locked) < limit:
            break
    return deleted


def _codes(now: datetime) -> QuerySet[OneTimeCode]:
    return OneTimeCode.objects.filter(created_at__lt=now - CODES_KEPT)


def _guards(now: datetime) -> QuerySet[Guard]:
    return Guard.objects.filter(Q(failed_at__isnull=True) | Q(failed_at__lt=now - guards.ALL_WINDOW))


def _sign_ins(now: datetime) -> QuerySet[SignIn]:
    since = now - SIGN_INS_KEPT
    # The last one of an account stays: by it the next is known not to be the very first.
    later = SignIn.objects.filter(user=OuterRef("user"), created_at__gt=OuterRef("created_at"))
    return SignIn.objects.filter(Q(ended_at__lt=since) | Q(expires_at__lt=since)).filter(Exists(later))


def _addresses(now: datetime) -> QuerySet[FormerAddress]:
    return FormerAddress.objects.filter(given_up_at__lt=now - ADDRESSES_KEPT)


_OLD: Final[dict[str, Callable[[datetime], QuerySet[Any]]]] = {
    "codes": _codes,
    "guards": _guards,
    "sign_ins": _sign_ins,
    "former_addresses": _addresses,
}
