"""Signing in to the admin: a password, and the code of an authenticator (TOTP, RFC 6238) if there is one.

Failed attempts are counted apart from those of the API, and those from a network that the member of staff knows apart
from strangers': nobody can lock staff out by failing on purpose. An attempt counts as failed unless everything was
right, so that the lockout does not reveal whether the password was.
"""

from __future__ import annotations

import logging
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import transaction
from django_otp.plugins.otp_totp.models import TOTPDevice
from unfold.forms import AdminOwnPasswordChangeForm, AuthenticationForm
from unfold.widgets import BASE_INPUT_CLASSES

from accounts.models import FailedAttempts, User, normalize_email
from accounts.services import known_networks, lockout, passwords, profile
from auctioncraft.api import throttling
from auctioncraft.core import clock
from auctioncraft.core.client_ip import client_ip
from auctioncraft.core.errors import TooManyRequests

logger = logging.getLogger(__name__)

REFUSED = "The address, password or code is wrong, or the account is not a staff account."
LOCKED = "Too many failed attempts. Please try again in {minutes} min."
MAX_PASSWORD = 128


class AdminLoginForm(AuthenticationForm):  # type: ignore[misc]  # unfold has no types
    """Address, password and code. All errors but the lockout have the same text."""

    otp_token = forms.CharField(
        label="Authenticator code",
        required=False,
        max_length=6,
        help_text="Six digits. Leave empty if you have no authenticator.",
        widget=forms.TextInput(
            attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "class": " ".join(BASE_INPUT_CLASSES)}
        ),
    )

    def clean(self) -> dict[str, Any]:
        """Authenticate. Raises ValidationError."""
        given: dict[str, Any] = self.cleaned_data
        if self.errors:
            return given
        try:
            throttling.count_request("sign_in", self.request)
            self.user_cache = authenticate_staff(
                address=given["username"],
                password=given["password"],
                token=given["otp_token"],
                ip=client_ip(self.request),
            )
        except TooManyRequests as refusal:
            logger.warning("admin login locked out")
            raise _locked(refusal) from refusal
        if self.user_cache is None:
            logger.warning("admin login refused")
            raise forms.ValidationError(REFUSED, code="invalid_login")
        return given


class OwnPasswordForm(AdminOwnPasswordChangeForm):  # type: ignore[misc]
    """A new password of one's own: by the services, with their limits, notification and end of sessions."""

    user: User

    def clean_old_password(self) -> str:
        """Check the present password. Raises ValidationError."""
        password: str = self.cleaned_data["old_password"]
        try:
            is_right = len(password) <= MAX_PASSWORD and passwords.verify_password(
                user=self.user, email=self.user.email, password=password, signed_in=True
            )
        except TooManyRequests as refusal:
            raise _locked(refusal) from refusal
        if not is_right:
            raise forms.ValidationError(self.error_messages["password_incorrect"], code="password_incorrect")
        return password

    def save(self, commit: bool = True) -> User:  # noqa: ARG002, FBT001, FBT002 (Django's signature)
        """Set the password. Only this session at the admin goes on."""
        hashed = make_password(self.cleaned_data["new_password1"])
        user = profile.update_profile(user=self.user, password_hash=hashed)
        self.user = user  # of whom Django's view goes on with the session
        return user


def _locked(refusal: TooManyRequests) -> forms.ValidationError:
    minutes = -(-(refusal.retry_after or 60) // 60)
    return forms.ValidationError(LOCKED.format(minutes=minutes), code="throttled")


def authenticate_staff(*, address: str, password: str, token: str, ip: str | None = None) -> User | None:
    """Return the staff user, with `otp_device` set if a code was checked, or None.

    Raises TooManyRequests as lockout.record_attempt, without comparing.
    """
    email = normalize_email(address)
    if not email.isascii() or len(email) > 254 or len(password) > MAX_PASSWORD:
        return None  # no account has such an address or password
    name = lockout.attempts_name(email, known_networks.find_allowance(email=email, ip=ip))
    attempted_at = lockout.record_attempt(FailedAttempts.Kind.ADMIN, name)
    user = User.objects.filter(email=email).first()
    if user is None:
        make_password(password)
        return None
    if not user.check_password(password) or not (user.is_active and user.is_staff):
        return None
    device: Any = _verified_device(user, token)
    if device is None and (settings.ADMIN_REQUIRES_TOTP or _devices(user).exists()):
        return None
    with transaction.atomic():
        lockout.record_success(lockout.lock_attempts(FailedAttempts.Kind.ADMIN, name), withdraw=attempted_at)
        known_networks.record(user_id=user.pk, ip=ip, at=clock.now())
    user.otp_device = device  # type: ignore[attr-defined]  # django-otp keeps it in the session
    return user


def _devices(user: User) -> Any:
    return TOTPDevice.objects.filter(user=user, confirmed=True)


def _verified_device(user: User, token: str) -> Any:
    """Return the device of this code. The lock accepts a code once, even in parallel requests."""
    if not (token.isascii() and token.isdigit()):
        return None
    with transaction.atomic():
        devices = _devices(user).select_for_update().order_by("pk")
        return next((device for device in devices if device.verify_token(token)), None)
