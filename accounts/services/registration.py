"""A new account by e-mail address and password."""

from __future__ import annotations

from django.conf import settings
from django.db import IntegrityError, transaction

from accounts.errors import EmailTaken
from accounts.models import User, normalize_email
from accounts.services import otp, passwords


def register(*, email: str, password: str, display_name: str = "", ip: str | None = None) -> User:
    """Create an account, or with REGISTRATION_REQUIRES_VERIFICATION only what becomes one when its code is verified.

    In the latter case the account returned is not written (it has no id), and known addresses get the same answer by
    the same work. Raises WeakPassword; EmailTaken without verification; TooManyRequests with it, as every code does.
    """
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
