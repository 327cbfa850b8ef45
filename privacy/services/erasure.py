"""Erase a user's account. What was traded stays on record under the account's id, without the person.

Lock order: rows of auctions, rows of payments, failed attempts, the account (docs/concurrency.md). The account is
locked FOR UPDATE, which waits for everything that the user has started and refuses what they start later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from accounts.services import account_erasure as accounts
from accounts.services import passwords
from auctions.services import account_erasure as auctions
from notifications.services import account_erasure as notifications
from payments.services import account_erasure as payments
from privacy.errors import AccountInUse

if TYPE_CHECKING:
    from accounts.models import User


def erase_account(*, user: User, password: str | None = None) -> None:
    """Erase the user's own account. Its address can register again, as a new account.

    Raises Invalid if the password is missing or wrong (if the user has one), TooManyRequests, AccountInUse with all
    reasons, and NotAuthenticated if the account was changed meanwhile. Then nothing is changed.
    """
    _check_not_staff(user)
    # Outside the transaction: hashing is slow.
    passwords.require_current_password(user=user, password=password, field="password", purpose="to delete your account")
    with transaction.atomic():
        auctions.lock_rows(user=user)
        payments.lock_rows(user=user)
        account = accounts.lock_account(user=user)
        _check_not_staff(account)
        if blockers := [*auctions.erasure_blockers(user=account), *payments.erasure_blockers(user=account)]:
            raise AccountInUse(reasons=blockers)
        auctions.erase_account(user=account)
        payments.erase_account(user=account)
        notifications.erase_account(user=account)
        accounts.erase_account(user=account)


def _check_not_staff(user: User) -> None:
    """Refuse staff: the admin's log must keep naming who did what."""
    if user.is_staff or user.is_superuser:
        raise AccountInUse(reasons=[{"reason": "staff"}])
