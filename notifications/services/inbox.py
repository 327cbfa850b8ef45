"""What somebody does with their own notices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auctioncraft.core import clock
from notifications.models import Notification

if TYPE_CHECKING:
    from accounts.models import User


def mark_read(*, notification: Notification) -> Notification:
    """Mark one notice read and return it; one that is read already keeps its time."""
    if notification.read_at is None:
        notification.read_at = clock.now()
        Notification.objects.filter(pk=notification.pk, read_at__isnull=True).update(read_at=notification.read_at)
    return notification


def mark_all_read(*, recipient: User) -> int:
    """Mark every unread notice that somebody is shown read; return how many there were."""
    marked: int = Notification.objects.unread(recipient.pk).update(read_at=clock.now())
    return marked
