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
from accounts.services import lockout
from auctioncraft.core.errors import Invalid


def authenticate_password(*, email: str, password: str) -> User:
    """Return the user with this address and password.

    An unknown address takes as long as a known one. Raises PasswordSignInDisabled, InvalidCredentials, and
    TooManyRequests as lockout.record_attempt.
    """
    if not settings.PASSWORD_SIGN_IN:
        raise PasswordSignInDisabled
    email = normalize_email(email)
    user = User.objects.filter(email=email).first()
    if not verify_password(user=user, email=email, password=password) or user is None or not user.is_active:
        raise InvalidCredentials
    return user


def verify_password(*, user: User | None, email: str, password: str) -> bool:
    """Return whether this is the user's password. Counts a failure. Raises TooManyRequests without comparing."""
    attempted_at = lockout.record_attempt(FailedAttempts.Kind.PASSWORD, email)
    if user is None:
        make_password(password)
        return False
    is_right = user.check_password(password)
    # For a disabled account a right password counts as a failure too, so that nobody can tell that it was right.
    if is_right and user.is_active:
        with transaction.atomic():
            lockout.record_success(lockout.lock_attempts(FailedAttempts.Kind.PASSWORD, email), withdraw=attempted_at)
    return is_right


def require_current_password(*, user: User, password: str | None, field: str, purpose: str) -> None:
    """Check the password of a signed-in user again, if they have one: their token may be stolen.

    Raises Invalid on `field` if it is missing (`purpose` says what it is needed for) or wrong, and TooManyRequests.
    """
    if not user.has_usable_password():
        return
    if password is None:
        raise Invalid(**{field: f"Your current password is required {purpose}."})
    if not verify_password(user=user, email=user.email, password=password):
        raise Invalid(**{field: "The current password is wrong."})


def hash_new_password(*, user: User, password: str, current_password: str | None) -> str:
    """Return the hash of a signed-in user's new password. Raises WeakPassword, and as require_current_password."""
    hashed = validate_and_hash(password, user)
    require_current_password(
        user=user, password=current_password, field="current_password", purpose="to set a new password"
    )
    return hashed


def validate_and_hash(password: str, user: User) -> str:
    """Return the hash. Raises WeakPassword with every reason of AUTH_PASSWORD_VALIDATORS."""
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise WeakPassword(error.messages) from error
    return make_password(password)
