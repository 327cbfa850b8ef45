"""Another address for an account: a code mailed to the new one proves that its owner reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction

from accounts.errors import InvalidCode
from accounts.models import OneTimeCode, PreviousEmail, User, normalize_email
from accounts.services import otp, passwords, tokens, user_locking
from accounts.signals import email_change_requested, email_changed
from auctioncraft.core.errors import Invalid, NotAuthenticated

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID


def request_change(*, user: User, email: str, password: str | None = None, ip: str | None = None) -> None:
    """Have a code mailed to the new address, and the account told; the newest request is the one that counts.

    Whether the new address has an account is not looked up: the answer and the work are the same. Its mail tells.
    Raises Invalid for the present address and for a password that is missing or wrong (where there is one), and
    TooManyRequests if wrong too often or as otp.request_code.
    """
    email = normalize_email(email)
    if email == user.email:
        raise Invalid(email="This is your address already.")
    passwords.require_current_password(
        user=user, password=password, field="password", purpose="to change your email address"
    )
    with transaction.atomic():
        code = otp.request_code(email=email, ip=ip, purpose=OneTimeCode.Purpose.CHANGE_EMAIL, account=user)
        user_locking.lock_active_user(user_id=user.pk)
        email_change_requested.send(sender=User, user=user, code=code)


def confirm_change(*, user: User, code: str, session_id: UUID) -> User:
    """Give the account the address that it last asked for; every sign-in but this one ends.

    Raises as otp.consume_code: InvalidCode too if somebody else has the address by now (nothing has changed then), and
    NotAuthenticated if the account was changed elsewhere meanwhile.
    """
    asked = OneTimeCode.objects.filter(account=user, purpose=OneTimeCode.Purpose.CHANGE_EMAIL).first()
    if asked is None:
        raise InvalidCode

    def change(row: OneTimeCode, account: User | None, now: datetime) -> User | None:
        if account is None or account.pk != user.pk:
            return None  # another account has asked for this address since
        if account.token_version != user.token_version:
            raise NotAuthenticated
        former = PreviousEmail(user=account, email=account.email, replaced_at=now)
        account.email, account.email_verified_at = row.email, now
        try:
            with transaction.atomic():
                account.save(update_fields=["email", "email_verified_at"])
        except IntegrityError:
            return None
        former.save(force_insert=True)
        tokens.end_other_sessions(user=account, but=session_id)
        email_changed.send(sender=User, user=account, former=former)
        return account

    return otp.consume_code(email=asked.email, code=code, purpose=OneTimeCode.Purpose.CHANGE_EMAIL, work=change)
