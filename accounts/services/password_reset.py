"""Reset a password with a code sent by email."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction

from accounts.errors import PasswordSignInDisabled
from accounts.models import FailedAttempts, OneTimeCode, User, normalize_email
from accounts.services import first_proof, lockout, otp, passwords, tokens
from accounts.signals import password_changed

if TYPE_CHECKING:
    from datetime import datetime


def request_reset(*, email: str, ip: str | None) -> None:
    """Email a code. An address without an account gets none, which the client cannot tell.

    Raises PasswordSignInDisabled, and TooManyRequests as otp.request_code.
    """
    _check_passwords_enabled()
    otp.request_code(email=email, ip=ip, purpose=OneTimeCode.Purpose.RESET)


def reset(
    *,
    email: str,
    code: str,
    password: str,
    access_token: str | None = None,
    user_agent: str = "",
    ip: str | None = None,
) -> otp.VerifiedLogin:
    """Set the password, end all sessions, and sign in. Does not create accounts.

    The code proves the address: an account that another person may have prepared is replaced (first_proof.py), unless
    `access_token` is of a live session of it. Raises PasswordSignInDisabled, WeakPassword before the code is checked,
    and as otp.consume_code and first_proof.prove.
    """
    _check_passwords_enabled()
    email = normalize_email(email)
    # Always hashed, so that every address takes the same time; never under a lock, because it is slow.
    hashed = passwords.validate_and_hash(password, User(email=email))

    def change(row: OneTimeCode, account: User | None, now: datetime) -> otp.VerifiedLogin | None:
        if account is None:
            return None
        user = first_proof.prove(account=account, code=row, evidence=first_proof.Evidence(access_token), now=now)
        user.set_password_hash(hashed)
        user.save(update_fields=["password", "token_version"])
        tokens.end_all_sessions(user=user)
        password_changed.send(sender=User, user=user)
        return otp.VerifiedLogin(user, tokens.sign_in(user=user, user_agent=user_agent, ip=ip))

    verified = otp.consume_code(email=email, code=code, purpose=OneTimeCode.Purpose.RESET, use=change, ip=ip)
    # The new password can be used at once, whatever failed before. Not in the transaction above, because failed
    # attempts are locked before accounts.
    with transaction.atomic():
        lockout.record_success(lockout.lock_attempts(FailedAttempts.Kind.PASSWORD, email))
    return verified


def _check_passwords_enabled() -> None:
    if not settings.PASSWORD_SIGN_IN:
        raise PasswordSignInDisabled
