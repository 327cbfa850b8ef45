"""How things stand, read from the rows."""

from __future__ import annotations

from importlib import import_module

from django.apps import apps

from payments.models import StripeEvent


def read_flags():
    """The flags of all events, in the order they came."""
    return list(StripeEvent.objects.order_by("received_at").values_list("flag", flat=True))


def notified(kind, user):
    """How often somebody was told, in the app and by mail. By name: payments does not import what listens to it."""
    about = apps.get_model("notifications", "Notification").objects.filter(kind=kind, recipient=user)
    mails = apps.get_model("notifications", "EmailDelivery").objects.filter(notification__in=about)
    return about.count(), mails.count()


def send_due_emails():
    """Send what is due, as the worker does."""
    import_module("notifications.tasks").send_due_emails()
