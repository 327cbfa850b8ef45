"""Stripe's events."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from auctioncraft.core import clock
from auctioncraft.core.invariants import invariant
from payments.models import StripeEvent

if TYPE_CHECKING:
    from collections.abc import Iterator


@invariant(14, "Stripe events are processed within an hour")
def check_events_processed() -> Iterator[str]:
    waiting = StripeEvent.objects.filter(
        processed_at__isnull=True, received_at__lt=clock.now() - timedelta(hours=1)
    ).order_by("pk")
    for pk, error in waiting.values_list("pk", "last_error"):
        yield f"event {pk} was not processed: {error}"
    failed = StripeEvent.objects.filter(processed_at__isnull=False).exclude(last_error="").order_by("pk")
    for pk in failed.values_list("pk", flat=True):
        yield f"event {pk} is processed and has an error"
