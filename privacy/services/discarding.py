"""Withdraw what was made under an account whose address another person has proved (ADR 0014).

The account is erased already (accounts/services/first_proof.py) and can start nothing. Here the apps below end what it
had begun, in a fixed order, each part in transactions of its own and repeatable: at once, and by a job if that fails.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db import transaction

from accounts.models import DiscardedAccount
from auctioncraft.core import retry
from auctions.services import account_withdrawal as auctions
from notifications.services import account_erasure as notifications
from payments.services import account_erasure as payments

if TYPE_CHECKING:
    from accounts.models import User

REASON: Final = "The account used an email address of somebody else."
# So long does the owner of the address wait at most; a stranger may have bid on thousands of products. The job goes on.
SECONDS: Final = 2.0
# It is never given up.
POLICY: Final = retry.RetryPolicy(longest_delay=timedelta(hours=1), max_attempts=10**9)


def withdraw_due() -> int:
    """Withdraw the discarded accounts that are left; return how many. A job."""
    return retry.process_due(DiscardedAccount.objects.all(), _withdraw, policy=POLICY)


def withdraw_now(*, user_id: int) -> None:
    """Withdraw one discarded account, if no worker does. Must not be called in a transaction."""
    with suppress(retry.RetryLater):
        retry.attempt_now(DiscardedAccount.objects.all(), user_id, _withdraw, policy=POLICY)


def _withdraw(row: DiscardedAccount) -> None:
    user: User = row.user
    if not auctions.withdraw_account(user=user, actor=user, reason=REASON, seconds=SECONDS):
        raise retry.RetryLater(timedelta(0))
    payments.withdraw_account(user=user)
    with transaction.atomic():
        notifications.erase_account(user=user)
        row.delete()
