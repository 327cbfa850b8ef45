"""What this app does when somebody takes their data or goes: in accounts' transaction, rows only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.dispatch import receiver

from accounts.signals import account_erased, data_requested, erasure_begun, erasure_requested
from auctions.services import account_erasure, export

if TYPE_CHECKING:
    from accounts.models import User


@receiver(data_requested, dispatch_uid="auctions.export")
def add_to_export(*, user: User, **_: Any) -> dict[str, list[dict[str, Any]]]:
    """Add what they listed, bid, follow and were offered."""
    return export.export_account(user=user)


@receiver(erasure_begun, dispatch_uid="auctions.erasure_begun")
def lock_for_erasure(*, user: User, **_: Any) -> None:
    """Lock what an erasure would change, before the account."""
    account_erasure.lock_rows(user=user)


@receiver(erasure_requested, dispatch_uid="auctions.erasure_requested")
def list_erasure_blockers(*, user: User, **_: Any) -> list[dict[str, Any]]:
    """Say what they have under way."""
    return account_erasure.erasure_blockers(user=user)


@receiver(account_erased, dispatch_uid="auctions.account_erased")
def erase_account(*, user: User, **_: Any) -> None:
    """End what only they were interested in."""
    account_erasure.erase_account(user=user)
