"""Delete old Stripe events."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from auctioncraft.core.purge import delete_in_batches
from payments.models import StripeEvent

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models import QuerySet

# Stripe delivers an event again for three days and lists it for thirty, so none comes back.
EVENT_RETENTION: Final = timedelta(days=90)


def purge() -> int:
    """Delete the events that were processed 90 days ago; return how many."""
    return delete_in_batches(_old_events)


def _old_events(now: datetime) -> QuerySet[StripeEvent]:
    return StripeEvent.objects.filter(processed_at__lt=now - EVENT_RETENTION)
