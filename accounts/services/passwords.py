"""Passwords: fit to be set, and checked without becoming an oracle.

Hashing is slow on purpose, so it never happens inside a transaction: a try is counted first, under the guard, and
withdrawn if it was right. Of a thousand tries at once no more are compared than the guard lets through.
"""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from accounts.errors import InvalidCredentials, PasswordSignInDisabled, WeakPassword
from accounts.models import FailedAttempts, User, normalize_email
from accounts.services import lockout
from auctioncraft.core.errors import Invalid


def authenticate_password(*, email: str, password: str) -> User:
    """Return the account of an address and its password.

    Raises PasswordSignInDisabled (a setting), InvalidCredentials, or TooManyRequests after 5 failures within 10 minutes
    since the last success, or 10 within the hour. An unknown address costs the same time as a known one.
    """
    if not settings.PASSWORD_SIGN_IN:
        raise PasswordSignInDisabled
    email = normalize_email(email)
    user = User.objects.filter(email=email).first()
    if not verify_password(user=user, email=email, password=password) or user is None or not user.is_active:
        raise InvalidCredentials
    return user


def verify_password(*, user: User | None, email: str, password: str) -> bool:
    """Tell whether this is the account's password, and count it if not. Raises TooManyRequests without comparing."""
    counted_at = lockout.record_attempt(FailedAttempts.Kind.PASSWORD, email)
    if user is None:
        make_password(password)
        return False
    right = user.check_password(password)
    # A disabled account's success would end the row of failures, and show by that what nobody may learn.
    if right and user.is_active:
        with transaction.atomic():
            lockout.record_success(lockout.lock_attempts(FailedAttempts.Kind.PASSWORD, email), withdraw=counted_at)
    return right


def require_current_password(*, user: User, password: str | None, field: str, purpose: str) -> None:
    """Let whoever is signed in go on only with the account's password, if it has one: the token may be stolen.

    Raises Invalid on the `field` if it is missing (`purpose` says what it is needed for) or wrong, and TooManyRequests
    if wrong too often.
    """
    if not user.has_usable_password():
        return
    if password is None:
        raise Invalid(**{field: f"{purpose} the current password is needed."})
    if not verify_password(user=user, email=user.email, password=password):
        raise Invalid(**{field: "This is not the current password."})


def validate_and_hash(password: str, user: User) -> str:
    """Return the hash to store. Raises WeakPassword with every reason of AUTH_PASSWORD_VALIDATORS."""
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise WeakPassword(error.messages) from error
    return make_password(password)
