"""What the worker sweeps for this app."""

from __future__ import annotations

from auctioncraft.core.jobs import periodic_job
from notifications.services import email_delivery, ending_soon, outbox


@periodic_job("notifications.write_notifications")
def write_notifications() -> None:
    """Tell people of the events that wait in the outbox."""
    outbox.write_notifications()


@periodic_job("notifications.send_due_emails")
def send_due_emails() -> None:
    """Send the mails that are due."""
    email_delivery.send_due_emails()


@periodic_job("notifications.notify_ending_soon")
def notify_ending_soon() -> None:
    """Tell people of the auctions that end within the hour."""
    ending_soon.notify_ending_soon()
