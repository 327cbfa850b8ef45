"""Register an account with an email address and a password."""

from __future__ import annotations

from django.conf import settings
from django.db import IntegrityError, transaction

from accounts.errors import EmailTaken
from accounts.models import User, normalize_email
from accounts.services import display_names, otp, passwords


def register(*, email: str, password: str, display_name: str = "", ip: str | None = None) -> User:
    """Create an account.

    With REGISTRATION_REQUIRES_VERIFICATION, mail a code instead and return an unsaved user without an id; the account
    is created when the code is verified, and addresses with an account get the same response. Raises WeakPassword,
    DisplayNameReserved, DisplayNameTaken, and EmailTaken, or with verification TooManyRequests.
    """
    if display_name:
        display_names.check_display_name(display_name)
    user = User(email=normalize_email(email))
    user.display_name = display_name or user.display_name
    hashed = passwords.validate_and_hash(password, user)
    if settings.REGISTRATION_REQUIRES_VERIFICATION:
        otp.request_code(email=user.email, ip=ip, pending_password=hashed, pending_display_name=user.display_name)
        return user
    user.set_password_hash(hashed)
    try:
        with transaction.atomic():
            user.save(force_insert=True)
    except IntegrityError as error:
        raise EmailTaken from error
    return user
