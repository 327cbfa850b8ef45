"""The periodic jobs of this app. What each does is said at its service."""

from __future__ import annotations

from auctioncraft.core.jobs import MAIL, periodic_job
from notifications.services import email_delivery, ending_soon, outbox

write_notifications = periodic_job("notifications.write_notifications", every=1)(outbox.write_notifications)
send_codes = periodic_job("notifications.send_codes", every=1, queue=MAIL)(email_delivery.send_codes)
send_notification_emails = periodic_job("notifications.send_notification_emails", every=1, queue=MAIL)(
    email_delivery.send_notification_emails
)
notify_ending_soon = periodic_job("notifications.notify_ending_soon", every=30)(ending_soon.notify_ending_soon)
purge = periodic_job("notifications.purge", every=3600)(email_delivery.purge)
