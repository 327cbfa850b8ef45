"""Disable and enable accounts, as staff."""

from __future__ import annotations

from django.db import transaction

from accounts.errors import AccountUnchanged
from accounts.models import StaffAction, User
from accounts.services import support, tokens
from accounts.signals import account_disabled


def disable_account(*, user: User, actor: User, reason: str) -> User:
    """Disable an account and end its tokens for good, even if it is enabled again; return it.

    Sends account_disabled in the transaction: receivers withdraw what the account takes part in, and refuse if `actor`
    takes part in it too. Raises as support.lock_account, and AccountUnchanged.
    """
    with transaction.atomic():
        account = support.lock_account(user=user, actor=actor)
        _set_active(account, is_active=False)
        tokens.end_all_sessions(user=account)
        action = support.record_change(account, StaffAction.Action.ACCOUNT_DISABLED, actor=actor, reason=reason)
        account_disabled.send(sender=User, user=account, actor=actor, reason=action.reason, at=action.at)
    return account


def enable_account(*, user: User, actor: User, reason: str) -> User:
    """Enable a disabled account; return it. What was withdrawn stays withdrawn.

    Raises as support.lock_account, and AccountUnchanged.
    """
    with transaction.atomic():
        account = support.lock_account(user=user, actor=actor)
        _set_active(account, is_active=True)
        support.record_change(account, StaffAction.Action.ACCOUNT_ENABLED, actor=actor, reason=reason)
    return account


def _set_active(account: User, *, is_active: bool) -> None:
    if account.is_active == is_active:
        raise AccountUnchanged
    account.is_active = is_active
    account.save(update_fields=["is_active"])
