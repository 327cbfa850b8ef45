"""What the worker sweeps for this app."""

from __future__ import annotations

from auctioncraft.sweeps import sweep
from payments.services import expiry, webhooks


@sweep("payments.process_events")
def process_events() -> None:
    """Act on the Stripe events whose first try failed."""
    webhooks.process_pending()


@sweep("payments.follow_up_orders")
def follow_up_orders() -> None:
    """Remind of unpaid orders, and let those expire whose time is up."""
    expiry.remind_due()
    expiry.expire_due()


@sweep("payments.cancel_leftovers")
def cancel_leftovers() -> None:
    """Cancel at Stripe what is not to be paid any more."""
    expiry.cancel_leftovers()
