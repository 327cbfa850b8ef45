"""Stripe's events (invariant 14)."""

from __future__ import annotations

from datetime import timedelta

from auctioncraft.core import clock
from payments.models import StripeEvent


def events_are_dealt_with() -> list[str]:
    """Invariant 14: no event waits for over an hour; one acted on has an error only of staff's asking again."""
    waiting = StripeEvent.objects.filter(
        processed_at__isnull=True, received_at__lt=clock.now() - timedelta(hours=1)
    ).order_by("pk")
    failed = StripeEvent.objects.filter(processed_at__isnull=False, attempts__lte=1).exclude(error="").order_by("pk")
    return [f"event {pk} was not processed: {error}" for pk, error in waiting.values_list("pk", "error")] + [
        f"event {pk} is processed and has an error" for pk in failed.values_list("pk", flat=True)
    ]
