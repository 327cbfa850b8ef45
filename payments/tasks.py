"""What the worker sweeps for this app."""

from __future__ import annotations

from auctioncraft.sweeps import sweep
from payments.services import webhooks


@sweep("payments.process_events")
def process_events() -> None:
    """Act on the Stripe events whose first try failed."""
    webhooks.process_pending()
