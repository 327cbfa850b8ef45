"""What this app does when somebody takes their data or goes: in accounts' transaction, rows only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.dispatch import receiver

from accounts.signals import account_erased, data_requested, erasure_begun, erasure_requested
from auctions.services import export, leaving

if TYPE_CHECKING:
    from accounts.models import User


@receiver(data_requested, dispatch_uid="auctions.export")
def hand_out(*, user: User, **_: Any) -> dict[str, list[dict[str, Any]]]:
    """Add what they listed, bid, follow and were offered."""
    return export.sections(user=user)


@receiver(erasure_begun, dispatch_uid="auctions.erasure_begun")
def lock(*, user: User, **_: Any) -> None:
    """Lock what an erasure would change, before the account."""
    leaving.lock(user=user)


@receiver(erasure_requested, dispatch_uid="auctions.erasure_requested")
def object_to(*, user: User, **_: Any) -> list[dict[str, Any]]:
    """Say what they have under way."""
    return leaving.reasons_to_stay(user=user)


@receiver(account_erased, dispatch_uid="auctions.account_erased")
def forget(*, user: User, **_: Any) -> None:
    """End what only they were interested in."""
    leaving.leave(user=user)
