"""Validate, hash and check passwords.

Hashing is slow on purpose, so it never happens inside a transaction: an attempt is counted as failed first, under the
lock of services.lockout, and the count is withdrawn if the password was right. That limits parallel attempts too.
"""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from accounts.errors import InvalidCredentials, PasswordSignInDisabled, WeakPassword
from accounts.models import FailedAttempts, User, normalize_email
from accounts.services import known_networks, lockout
from auctioncraft.core.errors import Invalid


def authenticate_password(*, email: str, password: str, ip: str | None = None) -> User:
    """Return the user with this address and password.

    An unknown address takes as long as a known one. Raises PasswordSignInDisabled, InvalidCredentials, and
    TooManyRequests as lockout.record_attempt.
    """
    if not settings.PASSWORD_SIGN_IN:
        raise PasswordSignInDisabled
    email = normalize_email(email)
    user = User.objects.filter(email=email).first()
    if not verify_password(user=user, email=email, password=password, ip=ip) or user is None or not user.is_active:
        raise InvalidCredentials
    return user


def verify_password(
    *, user: User | None, email: str, password: str, ip: str | None = None, signed_in: bool = False
) -> bool:
    """Return whether this is the user's password. Counts a failure. Raises TooManyRequests without comparing.

    Failures of strangers do not lock out a network that the account knows, nor a live session (`signed_in`).
    """
    allowance = known_networks.SIGNED_IN if signed_in else known_networks.find_allowance(email=email, ip=ip)
    name = lockout.attempts_name(email, allowance)
    attempted_at = lockout.record_attempt(FailedAttempts.Kind.PASSWORD, name)
    if user is None:
        make_password(password)
        return False
    is_right = user.check_password(password)
    # For a disabled account a right password counts as a failure too, so that nobody can tell that it was right.
    if is_right and user.is_active:
        with transaction.atomic():
            lockout.record_success(lockout.lock_attempts(FailedAttempts.Kind.PASSWORD, name), withdraw=attempted_at)
    return is_right


def require_current_password(*, user: User, password: str | None, field: str, purpose: str) -> None:
    """Check the password of a signed-in user again, if they have one: their token may be stolen.

    Raises Invalid on `field` if it is missing (`purpose` says what it is needed for) or wrong, and TooManyRequests.
    """
    if not user.has_usable_password():
        return
    if password is None:
        raise Invalid(**{field: f"Your current password is required {purpose}."})
    if not verify_password(user=user, email=user.email, password=password, signed_in=True):
        raise Invalid(**{field: "The current password is wrong."})


def validate_and_hash(password: str, user: User) -> str:
    """Return the hash. Raises WeakPassword with every reason of AUTH_PASSWORD_VALIDATORS."""
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise WeakPassword(error.messages) from error
    return make_password(password)
