"""The periodic jobs of this app."""

from __future__ import annotations

from auctioncraft.core.jobs import MAIL, periodic_job
from notifications.services import email_delivery, ending_soon, outbox
from notifications.services import purge as purging


@periodic_job("notifications.write_notifications", every=1)
def write_notifications() -> None:
    """Write the notifications of the events in the outbox."""
    outbox.write_notifications()


@periodic_job("notifications.send_codes", every=1, queue=MAIL)
def send_codes() -> None:
    """Send the one-time codes that are due."""
    email_delivery.send_codes()


@periodic_job("notifications.send_notification_emails", every=1, queue=MAIL)
def send_notification_emails() -> None:
    """Send the notification emails that are due."""
    email_delivery.send_notification_emails()


@periodic_job("notifications.notify_ending_soon", every=30)
def notify_ending_soon() -> None:
    """Notify watchers and bidders of the auctions that end within the hour."""
    ending_soon.notify_ending_soon()


@periodic_job("notifications.purge", every=3600)
def purge() -> None:
    """Delete old email deliveries."""
    purging.purge()
