"""React to signals of the apps below: in their transaction, rows only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.dispatch import receiver

from accounts.signals import account_disabled
from auctions.services import account_withdrawal, actors

if TYPE_CHECKING:
    from datetime import datetime

    from accounts.models import User


@receiver(account_disabled, dispatch_uid="auctions.check_shares_no_auction")
def refuse_conflict_of_interest(*, user: User, actor: User, **_: Any) -> None:
    """Let nobody disable an account that they sell to, buy from or bid against: its bids would go."""
    actors.check_shares_no_auction(actor=actor, user=user)


@receiver(account_disabled, dispatch_uid="auctions.request_withdrawal")
def withdraw_disabled_account(*, user: User, actor: User, reason: str, at: datetime, **_: Any) -> None:
    """Have a job void the account's bids and cancel its auctions."""
    account_withdrawal.request_withdrawal(user=user, actor=actor, reason=reason, at=at)
