"""Events and notifications, read from the database."""

from __future__ import annotations

from importlib import import_module

from django.apps import apps

from payments.models import StripeEvent


def read_flags():
    """Return the flags of all events, oldest first."""
    return list(StripeEvent.objects.order_by("received_at").values_list("flag", flat=True))


def notified(kind, user):
    """Return the number of notifications and emails of a kind. payments may not import notifications: by name."""
    about = apps.get_model("notifications", "Notification").objects.filter(kind=kind, recipient=user)
    mails = apps.get_model("notifications", "EmailDelivery").objects.filter(notification__in=about)
    return about.count(), mails.count()


def send_notification_emails():
    """Send the due emails like the worker."""
    import_module("notifications.tasks").send_notification_emails()
