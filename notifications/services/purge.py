"""Delete old email deliveries."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db.models import Q

from auctioncraft.core.purge import delete_in_batches, oldest
from notifications.models import EmailDelivery

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models import QuerySet

DELIVERY_RETENTION: Final = timedelta(days=90)


def purge() -> int:
    """Delete the deliveries that were sent or given up 90 days ago; return how many."""
    return delete_in_batches(_old_deliveries)


def _old_deliveries(now: datetime) -> QuerySet[EmailDelivery]:
    before = now - DELIVERY_RETENTION
    return oldest(EmailDelivery).filter(Q(sent_at__lt=before) | Q(given_up_at__lt=before))
