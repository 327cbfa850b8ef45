"""What the worker sweeps for this app."""

from __future__ import annotations

from auctioncraft.sweeps import sweep
from notifications.services import deliveries, endings, events


@sweep("notifications.write_notices")
def write_notices() -> None:
    """Tell people of the events that wait in the outbox."""
    events.write_notices()


@sweep("notifications.deliver")
def deliver() -> None:
    """Send the mails that are due."""
    deliveries.deliver()


@sweep("notifications.tell_ending_soon")
def tell_ending_soon() -> None:
    """Tell people of the auctions that end within the hour."""
    endings.tell_ending_soon()
