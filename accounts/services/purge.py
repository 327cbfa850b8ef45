"""Delete codes, failed attempts, sessions, networks and previous email addresses that are not needed any more."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Exists, OuterRef, Q

from accounts.models import FailedAttempts, KnownNetwork, OneTimeCode, PreviousEmail, Session, WrongCode
from accounts.services import code_alarm, known_networks, lockout
from auctioncraft.core.purge import delete_in_batches

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from django.db.models import QuerySet

CODE_RETENTION: Final = timedelta(hours=24)  # longer than any limit counts codes
SESSION_RETENTION: Final = timedelta(days=30)  # after the end: how long a device is recognized
PREVIOUS_EMAIL_RETENTION: Final = timedelta(days=30)


def purge(*, seconds: float = 5) -> dict[str, int]:
    """Delete what is old, for at most `seconds` per table; return how many rows of each."""
    return {name: delete_in_batches(old, seconds=seconds) for name, old in _OLD.items()}


def _old_codes(now: datetime) -> QuerySet[OneTimeCode]:
    return OneTimeCode.objects.filter(created_at__lt=now - CODE_RETENTION)


def _old_attempts(now: datetime) -> QuerySet[FailedAttempts]:
    return FailedAttempts.objects.filter(
        Q(last_failed_at__isnull=True) | Q(last_failed_at__lt=now - lockout.DAILY_WINDOW)
    )


def _old_sessions(now: datetime) -> QuerySet[Session]:
    before = now - SESSION_RETENTION
    # The last session of an account stays, so that the next one is known not to be the account's first.
    later = Session.objects.filter(user=OuterRef("user"), created_at__gt=OuterRef("created_at"))
    return Session.objects.filter(Q(ended_at__lt=before) | Q(expires_at__lt=before)).filter(Exists(later))


def _old_wrong_codes(now: datetime) -> QuerySet[WrongCode]:
    return WrongCode.objects.filter(at__lt=now - code_alarm.WINDOW)


def _old_networks(now: datetime) -> QuerySet[KnownNetwork]:
    return KnownNetwork.objects.filter(signed_in_at__lt=now - known_networks.KNOWN_FOR)


def _old_addresses(now: datetime) -> QuerySet[PreviousEmail]:
    return PreviousEmail.objects.filter(replaced_at__lt=now - PREVIOUS_EMAIL_RETENTION)


_OLD: Final[dict[str, Callable[[datetime], QuerySet[Any]]]] = {
    "codes": _old_codes,
    "failed_attempts": _old_attempts,
    "wrong_codes": _old_wrong_codes,
    "sessions": _old_sessions,
    "known_networks": _old_networks,
    "previous_emails": _old_addresses,
}
