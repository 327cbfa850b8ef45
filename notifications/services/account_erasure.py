"""What the deletion of an account means for notifications: all of them go, with their emails and preferences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from notifications.models import Notification, Preference

if TYPE_CHECKING:
    from accounts.models import User


def erase_account(*, user: User) -> None:
    """Delete the user's notifications and preferences. Writers of notifications lock the account first."""
    Notification.objects.filter(recipient=user).delete()
    Preference.objects.filter(user=user).delete()
