"""Export all data about a user (GDPR, articles 15 and 20)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from accounts.services import account_export as accounts
from auctioncraft.core import clock
from auctions.services import account_export as auctions
from notifications.services import account_export as notifications
from payments.services import account_export as payments

if TYPE_CHECKING:
    from accounts.models import User


def export_account(*, user: User) -> dict[str, Any]:
    """Return sections of rows, amounts as strings and times in UTC, in a fixed number of queries.

    No secret is included (hash, code, token, client secret), and of other users only what their counterpart sees.
    """
    return {
        "exported_at": clock.now(),
        **accounts.export_account(user=user),
        **auctions.export_account(user=user),
        **payments.export_account(user=user),
        **notifications.export_account(user=user),
    }
