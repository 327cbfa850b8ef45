"""What a mail looks like."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils.crypto import salted_hmac

from accounts.services import otp

if TYPE_CHECKING:
    from django.core.mail.backends.base import BaseEmailBackend

    from accounts.models import OneTimeCode
    from notifications.models import Delivery, Notification


def compose(delivery: Delivery, connection: BaseEmailBackend | None = None) -> EmailMultiAlternatives:
    """Return the mail of a delivery, text and HTML. It may hold a code: never log it."""
    if delivery.code:
        template, subject, recipient, context = "code", *_code(delivery.code)
    else:
        assert delivery.notification is not None  # noqa: S101 (the table's CHECK)
        template, subject, recipient, context = "notice", *_notice(delivery.notification)
    context = {**context, "subject": subject, "site": settings.SITE_URL}
    mail = EmailMultiAlternatives(
        subject=subject,
        body=render_to_string(f"notifications/mail/{template}.txt", context),
        to=[recipient],
        headers={"Message-ID": message_id(delivery), "Auto-Submitted": "auto-generated"},
        connection=connection,
    )
    mail.attach_alternative(render_to_string(f"notifications/mail/{template}.html", context), "text/html")
    return mail


def message_id(delivery: Delivery) -> str:
    """Return the Message-ID: the same at every attempt, so that a mail sent twice is recognised as one.

    Of the row's creation too: ids start anew with a new database, and a mail server drops what it believes to know.
    """
    thing = delivery.code or delivery.notification
    assert thing is not None  # noqa: S101 (the table's CHECK)
    value = f"{delivery.pk}:{thing.created_at.isoformat()}"
    digest = salted_hmac("notifications.message_id", value, algorithm="sha256").hexdigest()
    return f"<{digest[:32]}@{urlsplit(settings.SITE_URL).hostname or 'localhost'}>"


def _code(code: OneTimeCode) -> tuple[str, str, dict[str, Any]]:
    digits = otp.reveal(code)
    # First in the subject: a phone shows no more than its beginning.
    subject = f"{digits} is your AuctionCraft code"
    return subject, code.email, {"code": digits, "minutes": (code.expires_at - code.created_at) // timedelta(minutes=1)}


def _notice(notification: Notification) -> tuple[str, str, dict[str, Any]]:
    return notification.title, notification.recipient.email, {"message": notification.message}
