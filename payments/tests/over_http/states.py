"""How things stand, read from the rows."""

from __future__ import annotations

from importlib import import_module

from django.apps import apps

from payments import invariants
from payments.models import StripeEvent


def state(order):
    """The order's status, and those of its payments."""
    order.refresh_from_db()
    return order.status, *order.payments.order_by("pk").values_list("status", flat=True)


def flags():
    """The flags of all events, in the order they came."""
    return list(StripeEvent.objects.order_by("received_at").values_list("flag", flat=True))


def notices(kind, user):
    """How often somebody was told, in the app and by mail. By name: payments does not import what listens to it."""
    about = apps.get_model("notifications", "Notification").objects.filter(kind=kind, recipient=user)
    mails = apps.get_model("notifications", "Delivery").objects.filter(notification__in=about)
    return about.count(), mails.count()


def send_mails():
    """Send what is due, as the worker does."""
    import_module("notifications.tasks").deliver()


def broken():
    """What is not true of the money though it always must be."""
    return [line for check in invariants.CHECKS.values() for line in check()]
