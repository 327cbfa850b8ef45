"""How much an account may have: `settings.LIMITS`, with stricter numbers for new accounts (docs/limits.md)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.utils import timezone

if TYPE_CHECKING:
    from accounts.models import User

NEW_FOR: Final = timedelta(days=7)


def quota(user: User, name: str) -> int:
    """Return a limit of an account; 0: none. Raises KeyError if LIMITS has no such limit."""
    limit: int = settings.LIMITS[f"{name}.new" if is_new(user) else name]
    return limit


def is_new(user: User) -> bool:
    """Return whether the address of an account is not verified, or the account is younger than a week."""
    return user.email_verified_at is None or timezone.now() < user.created_at + NEW_FOR
