"""The periodic jobs of this app."""

from __future__ import annotations

from auctioncraft.core.jobs import MAIL, periodic_job
from notifications.services import email_delivery, ending_soon, outbox
from notifications.services import purge as purging


@periodic_job("notifications.write_notifications", every=1)
def write_notifications() -> None:
    """Tell people of the events that wait in the outbox."""
    outbox.write_notifications()


@periodic_job("notifications.send_due_emails", every=1, queue=MAIL)
def send_due_emails() -> None:
    """Send the mails that are due."""
    email_delivery.send_due_emails()


@periodic_job("notifications.notify_ending_soon", every=30)
def notify_ending_soon() -> None:
    """Tell people of the auctions that end within the hour."""
    ending_soon.notify_ending_soon()


@periodic_job("notifications.purge", every=3600)
def purge() -> None:
    """Delete old e-mail deliveries."""
    purging.purge()
