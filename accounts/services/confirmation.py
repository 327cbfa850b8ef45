"""Confirm a change that a stolen access token must not make: with the password, or with a mailed code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accounts.models import OneTimeCode, User
from accounts.services import otp, passwords
from auctioncraft.core.errors import Invalid

if TYPE_CHECKING:
    from datetime import datetime


def request_confirmation(*, user: User, ip: str | None) -> None:
    """Mail a code to the user's present address. Raises TooManyRequests as otp.request_code."""
    is_proved = user.email_verified_at is not None
    otp.request_code(email=user.email, ip=ip, purpose=OneTimeCode.Purpose.CONFIRM, signed_in=is_proved)


def require_confirmation(*, user: User, password: str | None, code: str | None, field: str, purpose: str) -> None:
    """Check the password, or the mailed code of a user who has no password. The code works once.

    Raises Invalid on `field` (of the password) or on `code`, InvalidCode, and TooManyRequests.
    """
    if user.has_usable_password():
        passwords.require_current_password(user=user, password=password, field=field, purpose=purpose)
        return
    if code is None:
        raise Invalid(code=f"A code is required {purpose}. Request one with POST /api/users/me/code/.")

    def confirm(_: OneTimeCode, account: User | None, __: datetime) -> bool | None:
        return True if account and account.pk == user.pk else None

    otp.consume_code(email=user.email, code=code, purpose=OneTimeCode.Purpose.CONFIRM, use=confirm, signed_in=True)


def hash_new_password(*, user: User, password: str, current_password: str | None, code: str | None) -> str:
    """Return the hash of a signed-in user's new password. Raises WeakPassword, and as require_confirmation."""
    hashed = passwords.validate_and_hash(password, user)
    require_confirmation(
        user=user, password=current_password, code=code, field="current_password", purpose="to set a new password"
    )
    return hashed
