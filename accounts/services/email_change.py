"""Change the email address of an account. A code mailed to the new address proves that the user reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction

from accounts.errors import InvalidCode
from accounts.models import OneTimeCode, PreviousEmail, User, normalize_email
from accounts.services import confirmation, first_proof, otp, tokens, user_locking
from accounts.signals import email_change_requested, email_changed
from auctioncraft.core.errors import Invalid, NotAuthenticated

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID


def request_change(
    *, user: User, email: str, password: str | None = None, code: str | None = None, ip: str | None = None
) -> None:
    """Mail a code to the new address, and notify the user. Only the newest request counts.

    A user without a password sends the `code` that confirmation.request_confirmation mailed to the present address. It
    is not checked here whether the new address has an account: the response and the work are the same, and the email
    says so. Raises Invalid for the current address, TooManyRequests, and as confirmation.require_confirmation.
    """
    email = normalize_email(email)
    if email == user.email:
        raise Invalid(email="This is your current email address.")
    confirmation.require_confirmation(
        user=user, password=password, code=code, field="password", purpose="to change your email address"
    )
    with transaction.atomic():
        mailed = otp.request_code(email=email, ip=ip, purpose=OneTimeCode.Purpose.CHANGE_EMAIL, account=user)
        user_locking.lock_active_user(user_id=user.pk)
        email_change_requested.send(sender=User, user=user, code=mailed)


def confirm_change(*, user: User, code: str, session_id: UUID, ip: str | None = None) -> User:
    """Change to the address that was requested last, and end all sessions but this one.

    An account that others registered with the address, without proving it, is discarded (first_proof.py). Raises as
    otp.consume_code: InvalidCode also if the address got another account meanwhile; and NotAuthenticated if the
    user's tokens were ended meanwhile.
    """
    requested = OneTimeCode.objects.filter(account=user, purpose=OneTimeCode.Purpose.CHANGE_EMAIL).first()
    if requested is None:
        raise InvalidCode

    def change(row: OneTimeCode, account: User | None, now: datetime) -> User | None:
        if account is None or account.pk != user.pk:
            return None  # another user requested this address later
        if account.token_version != user.token_version:
            raise NotAuthenticated
        was_proved = account.email_verified_at is not None
        previous = PreviousEmail(user=account, email=account.email, replaced_at=now)
        account.email, account.email_verified_at = row.email, now
        unproved = User.objects.select_for_update().filter(email=row.email, email_verified_at=None, is_active=True)
        if (other := unproved.exclude(is_staff=True).first()) is not None:
            first_proof.discard(other)
        try:
            with transaction.atomic():
                account.save(update_fields=["email", "email_verified_at"])
        except IntegrityError:
            return None
        tokens.end_other_sessions(user=account, except_id=session_id)
        if was_proved:  # else it may be the address of another person, who gets nothing but codes
            previous.save(force_insert=True)
            email_changed.send(sender=User, user=account, previous=previous)
        return account

    return otp.consume_code(
        email=requested.email, code=code, purpose=OneTimeCode.Purpose.CHANGE_EMAIL, use=change, ip=ip
    )
