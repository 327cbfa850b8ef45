"""Change a user's profile and notification preferences together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from accounts.services import confirmation, profile
from notifications.services import preferences

if TYPE_CHECKING:
    from collections.abc import Mapping

    from accounts.models import User


def update_account(
    *,
    user: User,
    display_name: str | None = None,
    password: str | None = None,
    current_password: str | None = None,
    code: str | None = None,
    notifications: Mapping[str, Mapping[str, bool]] | None = None,
) -> User:
    """Change what is not None. A new password ends every session, this one included.

    A new password requires the current one or, if there is none, a `code` (accounts/services/confirmation.py). Raises
    Invalid, InvalidCode, TooManyRequests, WeakPassword, DisplayNameReserved, DisplayNameTaken, EmailNotVerified, and
    NotAuthenticated if the account was changed meanwhile. Then nothing is changed, but a code is used.
    """
    password_hash = None
    if password is not None:
        # Outside the transaction: hashing is slow.
        password_hash = confirmation.hash_new_password(
            user=user, password=password, current_password=current_password, code=code
        )
    with transaction.atomic():
        account = profile.update_profile(user=user, display_name=display_name, password_hash=password_hash)
        if notifications is not None:
            preferences.set_preferences(user=account, changes=notifications)
    return account
