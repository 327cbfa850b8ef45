"""What users do with their own notifications."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auctioncraft.core import clock
from notifications.models import Notification

if TYPE_CHECKING:
    from accounts.models import User


def mark_read(*, notification: Notification) -> Notification:
    """Mark a notification as read and return it. If it was read before, it keeps its time."""
    if notification.read_at is None:
        notification.read_at = clock.now()
        Notification.objects.filter(pk=notification.pk, read_at__isnull=True).update(read_at=notification.read_at)
    return notification


def mark_all_read(*, recipient: User) -> int:
    """Mark the user's unread notifications as read; return how many."""
    marked: int = Notification.objects.unread(recipient.pk).update(read_at=clock.now())
    return marked
