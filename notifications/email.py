"""Compose emails."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils.crypto import salted_hmac

from accounts.models import OneTimeCode, PreviousEmail, User
from accounts.services import otp
from auctioncraft.core import clock
from notifications.kinds import KINDS
from notifications.models import EmailDelivery
from payments import receipts
from payments.models import Order

if TYPE_CHECKING:
    from django.core.mail.backends.base import BaseEmailBackend

    from notifications.models import Notification
    from payments.receipts import Receipt

# The source of the notification that goes to an account's previous address: this prefix and the PreviousEmail's id.
PREVIOUS_EMAIL_SOURCE: Final = "previous_email:"
# The source of the notification of what staff did to an account: this prefix and the StaffAction's id.
STAFF_ACTION_SOURCE: Final = "staff_action:"
# The source of the notification that an order is paid (receivers.py).
_ORDER_PAID: Final = re.compile(r"order:(\d+):paid", re.ASCII)


@dataclass(frozen=True, slots=True)
class _CodeTexts:
    """The texts of a code's email: `instruction` what it is for, `not_you` what to do if the reader did not ask."""

    subject: str
    instruction: str
    not_you: str
    reason: str


# Subjects never contain the code: mail servers log subjects, and locked phones show them.
_CODE_TEXTS: Final = {
    OneTimeCode.Purpose.SIGN_IN: _CodeTexts(
        subject="Your AuctionCraft sign-in code",
        instruction="Enter this code to sign in to AuctionCraft.",
        not_you="If you did not request it, ignore this email. Nobody can sign in without the code.",
        reason="Someone entered this address to sign in.",
    ),
    OneTimeCode.Purpose.RESET: _CodeTexts(
        subject="Your AuctionCraft password reset code",
        instruction="Enter this code to set a new password for AuctionCraft. You will be signed out everywhere.",
        not_you="If you did not request it, ignore this email. Your password stays the same.",
        reason="Someone requested a new password for the account of this address.",
    ),
    OneTimeCode.Purpose.CONFIRM: _CodeTexts(
        subject="Confirm a change of your AuctionCraft account",
        instruction="Enter this code to change the password or the email address of your AuctionCraft account.",
        not_you="If you did not request it, someone else is signed in to your account: end all sessions in your "
        "account's settings.",
        reason="Someone who is signed in to your account asked to change it.",
    ),
    OneTimeCode.Purpose.CHANGE_EMAIL: _CodeTexts(
        subject="Confirm your new AuctionCraft email address",
        instruction="Enter this code to use this address for your AuctionCraft account.",
        not_you="If you did not request it, ignore this email. With the code, others could use your address.",
        reason="Someone asked to use this address for their account.",
    ),
}
# Using the code also activates the password that was chosen at registration.
_REGISTRATION_TEXTS: Final = _CodeTexts(
    subject="Confirm your AuctionCraft registration",
    instruction="Enter this code to finish your registration and activate your password.",
    not_you="If you did not register, do not use this code: someone else chose the password. Request your own code "
    "instead.",
    reason="Someone registered with this address.",
)
_ADDRESS_IN_USE: Final = (
    "Someone asked to use this address for their AuctionCraft account, but an account with this address already "
    "exists. If it was you, sign in with this address or choose another one. If not, ignore this email."
)
_MEMBER: Final = "You receive this email because you have an AuctionCraft account."
_OPTIONAL: Final = f"{_MEMBER} You can switch off emails like this one in your account."
_REQUIRED: Final = f"{_MEMBER} Emails about money and security are always sent."
_PREVIOUS: Final = "You receive this email because this was the address of an AuctionCraft account."


def compose(delivery: EmailDelivery, connection: BaseEmailBackend | None = None) -> EmailMultiAlternatives:
    """Return the email of a delivery, as text and HTML. It may contain a code: never log it.

    The email that a payment was received contains the buyer's receipt, also as a PDF.
    """
    receipt: Receipt | None = None
    context: dict[str, Any]
    if delivery.code and _is_address_in_use(delivery.code):
        template, recipient = "notification", delivery.code.email
        subject = "This address already has an AuctionCraft account"
        context = {"message": _ADDRESS_IN_USE, "reason": _CODE_TEXTS[OneTimeCode.Purpose.CHANGE_EMAIL].reason}
    elif delivery.code:
        template, subject, recipient, context = "code", *_compose_code(delivery.code)
    else:
        assert delivery.notification is not None  # noqa: S101 (the table's CHECK)  # nosec B101
        template, subject, recipient, context = "notification", *_compose_notification(delivery.notification)
        if receipt := _find_receipt(delivery.notification):
            template, context = "receipt", {**context, "receipt": receipt}
    context = {**context, "subject": subject, "site": settings.SITE_URL}
    email = EmailMultiAlternatives(
        subject=subject,
        body=render_to_string(f"notifications/mail/{template}.txt", context),
        to=[recipient],
        # Suppress automatic replies (RFC 3834, and Exchange's own header).
        headers={
            "Message-ID": message_id(delivery),
            "Auto-Submitted": "auto-generated",
            "X-Auto-Response-Suppress": "All",
        },
        connection=connection,
    )
    email.attach_alternative(render_to_string(f"notifications/mail/{template}.html", context), "text/html")
    if receipt:
        email.attach(f"{receipt.number}.pdf", receipts.render_pdf(receipt, at=clock.now()), "application/pdf")
    return email


def message_id(delivery: EmailDelivery) -> str:
    """Return the Message-ID. It is the same at every attempt, so that a duplicate is recognized.

    It depends on the creation time too: a new database starts its ids again, and mail servers drop known Message-IDs.
    """
    subject = delivery.code or delivery.notification
    assert subject is not None  # noqa: S101 (the table's CHECK)  # nosec B101
    value = f"{delivery.pk}:{subject.created_at.isoformat()}"
    digest = salted_hmac("notifications.message_id", value, algorithm="sha256").hexdigest()
    return f"<{digest[:32]}@{urlsplit(settings.SITE_URL).hostname or 'localhost'}>"


def _is_address_in_use(code: OneTimeCode) -> bool:
    # Only the reader of the address learns this, not the user who asked.
    is_change = code.purpose == OneTimeCode.Purpose.CHANGE_EMAIL
    return is_change and User.objects.filter(email=code.email).exists()


def _compose_code(code: OneTimeCode) -> tuple[str, str, dict[str, Any]]:
    texts = _REGISTRATION_TEXTS if code.pending_password else _CODE_TEXTS[OneTimeCode.Purpose(code.purpose)]
    minutes = (code.expires_at - code.created_at) // timedelta(minutes=1)
    context = {"code": otp.derive_code(code), "minutes": minutes, "texts": texts, "reason": texts.reason}
    return texts.subject, code.email, context


def _compose_notification(notification: Notification) -> tuple[str, str, dict[str, Any]]:
    recipient, reason = _find_address(notification)
    return notification.title, recipient, {"message": notification.message + _more(notification), "reason": reason}


def _more(notification: Notification) -> str:
    """Say how many older notifications this email replaces."""
    if notification.product_id is None:
        return ""
    older = EmailDelivery.objects.about_the_same(notification).filter(notification__lt=notification.pk)
    last = older.filter(sent_at__isnull=False).order_by("-notification").values_list("notification", flat=True).first()
    count = older.filter(sent_at__isnull=True, notification__gt=last or 0).count()
    return f" This email replaces {count} older ones about the same; all are in your account." if count else ""


def _find_receipt(notification: Notification) -> Receipt | None:
    """Return the buyer's receipt for a payment_succeeded notification, otherwise None."""
    paid = _ORDER_PAID.fullmatch(notification.source)
    if notification.kind != "payment_succeeded" or paid is None:
        return None
    order = Order.objects.with_parties().filter(pk=int(paid[1]), buyer_id=notification.recipient_id).first()
    return None if order is None else receipts.build_receipt(order)


def _find_address(notification: Notification) -> tuple[str, str]:
    """Return the address and why it gets the email. A changed address is reported to the previous one."""
    if notification.source.startswith(PREVIOUS_EMAIL_SOURCE):
        previous = PreviousEmail.objects.filter(pk=notification.source.removeprefix(PREVIOUS_EMAIL_SOURCE)).first()
        if previous is not None:
            return previous.email, _PREVIOUS
    return notification.recipient.email, _OPTIONAL if KINDS[notification.kind].optional else _REQUIRED
