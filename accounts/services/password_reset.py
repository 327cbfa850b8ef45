"""A new password for whoever reads the account's mail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction

from accounts.errors import PasswordSignInDisabled
from accounts.models import FailedAttempts, OneTimeCode, User, normalize_email
from accounts.services import lockout, otp, passwords, tokens
from accounts.signals import password_changed

if TYPE_CHECKING:
    from datetime import datetime


def request_reset(*, email: str, ip: str | None) -> None:
    """Have a code mailed; to an address without an account none goes out, and the caller cannot tell.

    Raises PasswordSignInDisabled (a setting), and TooManyRequests as otp.request_code.
    """
    _refuse_where_passwords_are_not_in_use()
    otp.request_code(email=email, ip=ip, purpose=OneTimeCode.Purpose.RESET)


def reset(*, email: str, code: str, password: str, user_agent: str = "", ip: str | None = None) -> otp.VerifiedLogin:
    """Set the password, end every sign-in, and open a new one.

    An address that has no account gets none here. Raises PasswordSignInDisabled, WeakPassword before the code is
    looked at, and as otp.consume_code.
    """
    _refuse_where_passwords_are_not_in_use()
    email = normalize_email(email)
    # Hashed whatever the code is: slow on purpose, so never under a lock, and the same time for every address.
    hashed = passwords.validate_and_hash(password, User(email=email))

    def change(_: OneTimeCode, user: User | None, now: datetime) -> otp.VerifiedLogin | None:
        if user is None:
            return None
        user.set_password_hash(hashed)
        # Whoever reads the mail is whose account it is: what others prepared under an address not yet verified is gone.
        user.email_verified_at = user.email_verified_at or now
        user.save(update_fields=["password", "token_version", "email_verified_at"])
        tokens.end_all_sessions(user=user)
        password_changed.send(sender=User, user=user)
        return otp.VerifiedLogin(user, tokens.sign_in(user=user, user_agent=user_agent, ip=ip))

    verified = otp.consume_code(email=email, code=code, purpose=OneTimeCode.Purpose.RESET, work=change)
    # Who failed to remember the old one may use the new one at once; the hour's failures still count together. Not in
    # the transaction above: guards are locked before accounts.
    with transaction.atomic():
        lockout.record_success(lockout.lock_attempts(FailedAttempts.Kind.PASSWORD, email))
    return verified


def _refuse_where_passwords_are_not_in_use() -> None:
    if not settings.PASSWORD_SIGN_IN:
        raise PasswordSignInDisabled
