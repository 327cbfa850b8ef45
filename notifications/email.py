"""What a mail looks like."""

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
from payments import receipts
from payments.models import Order

if TYPE_CHECKING:
    from django.core.mail.backends.base import BaseEmailBackend

    from notifications.models import EmailDelivery, Notification
    from payments.receipts import Receipt

# How the notice is called that goes to an address which its account has no longer: this, and the PreviousEmail's id.
PREVIOUS_EMAIL_SOURCE: Final = "former_address:"
# How the notice is called that an order is paid: the receivers', by the order's id.
_ORDER_PAID: Final = re.compile(r"order:(\d+):paid", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Words:
    """What a code's mail says: `use` what it is for, `unasked` what to do if it was not asked for, `why` it came."""

    subject: str
    use: str
    unasked: str
    why: str


_IGNORE: Final = "If it was not you who asked, ignore this mail."
# No subject has the code: mail servers log subjects, and locked phones show them.
_WORDS: Final = {
    OneTimeCode.Purpose.SIGN_IN: _Words(
        subject="Your code to sign in to AuctionCraft",
        use="This is your code to sign in to AuctionCraft.",
        unasked=f"{_IGNORE} Without the code nobody gets in.",
        why="Somebody gave this address to sign in.",
    ),
    OneTimeCode.Purpose.RESET: _Words(
        subject="Your code for a new AuctionCraft password",
        use="This is your code to set a new password for AuctionCraft. Setting it signs you out everywhere.",
        unasked=f"{_IGNORE} Your password stays as it is.",
        why="Somebody asked for a new password for the account of this address.",
    ),
    OneTimeCode.Purpose.CHANGE_EMAIL: _Words(
        subject="Your code to use this address with AuctionCraft",
        use="This is your code to move your AuctionCraft account to this address. Enter it where you asked for it.",
        unasked=f"{_IGNORE} Whoever gets this code from you gets your address for their account.",
        why="Somebody asked to move their account to this address.",
    ),
}
# A sign-in by it puts the password into force that was given at the registration: whoever did not register must know.
_REGISTRATION: Final = _Words(
    subject="Your code to register at AuctionCraft",
    use="This is your code to finish registering at AuctionCraft. It puts the password into force that was given at "
    "the registration.",
    unasked="If it was not you who registered, do not use this code: somebody else chose that password. Ask for one of "
    "your own in a minute; this one is void then.",
    why="Somebody registered with this address.",
)
_TAKEN: Final = (
    "Somebody asked to move their AuctionCraft account to this address. There is an account under it already, so there "
    "is no code. If it was you who asked: sign in with this address, or give another one. If not, ignore this mail."
)
_MEMBER: Final = "You get this mail because you have an account at AuctionCraft."
_OPTIONAL: Final = f"{_MEMBER} You can switch mails like this one off in its settings."
_ALWAYS: Final = f"{_MEMBER} What concerns money or security is always sent."
_FORMER: Final = "You get this mail because this was the address of an account at AuctionCraft."


def compose(delivery: EmailDelivery, connection: BaseEmailBackend | None = None) -> EmailMultiAlternatives:
    """Return the mail of a delivery, text and HTML. It may hold a code: never log it.

    That a payment has arrived goes to its buyer with the receipt, as the order stands now; also as a PDF.
    """
    receipt: Receipt | None = None
    context: dict[str, Any]
    if delivery.code and _is_taken(delivery.code):
        template, recipient = "notice", delivery.code.email
        subject = "There is an AuctionCraft account under this address"
        context = {"message": _TAKEN, "why": _WORDS[OneTimeCode.Purpose.CHANGE_EMAIL].why}
    elif delivery.code:
        template, subject, recipient, context = "code", *_code(delivery.code)
    else:
        assert delivery.notification is not None  # noqa: S101 (the table's CHECK)  # nosec B101
        template, subject, recipient, context = "notice", *_notice(delivery.notification)
        if receipt := _receipt(delivery.notification):
            template, context = "receipt", {**context, "receipt": receipt}
    context = {**context, "subject": subject, "site": settings.SITE_URL}
    mail = EmailMultiAlternatives(
        subject=subject,
        body=render_to_string(f"notifications/mail/{template}.txt", context),
        to=[recipient],
        # Out-of-office notes and the like stay away (RFC 3834, and what Exchange has instead).
        headers={
            "Message-ID": message_id(delivery),
            "Auto-Submitted": "auto-generated",
            "X-Auto-Response-Suppress": "All",
        },
        connection=connection,
    )
    mail.attach_alternative(render_to_string(f"notifications/mail/{template}.html", context), "text/html")
    if receipt:
        mail.attach(f"{receipt.number}.pdf", receipts.render_pdf(receipt, at=clock.now()), "application/pdf")
    return mail


def message_id(delivery: EmailDelivery) -> str:
    """Return the Message-ID: the same at every attempt, so that a mail sent twice is recognised as one.

    Of the row's creation too: ids start anew with a new database, and a mail server drops what it believes to know.
    """
    thing = delivery.code or delivery.notification
    assert thing is not None  # noqa: S101 (the table's CHECK)  # nosec B101
    value = f"{delivery.pk}:{thing.created_at.isoformat()}"
    digest = salted_hmac("notifications.message_id", value, algorithm="sha256").hexdigest()
    return f"<{digest[:32]}@{urlsplit(settings.SITE_URL).hostname or 'localhost'}>"


def _is_taken(code: OneTimeCode) -> bool:
    """Tell whether an address that is asked for has an account. Only its reader learns it, never who asked."""
    change = code.purpose == OneTimeCode.Purpose.CHANGE_EMAIL
    return change and User.objects.filter(email=code.email).exists()


def _code(code: OneTimeCode) -> tuple[str, str, dict[str, Any]]:
    words = _REGISTRATION if code.pending_password else _WORDS[OneTimeCode.Purpose(code.purpose)]
    minutes = (code.expires_at - code.created_at) // timedelta(minutes=1)
    context = {"code": otp.derive_code(code), "minutes": minutes, "words": words, "why": words.why}
    return words.subject, code.email, context


def _notice(notification: Notification) -> tuple[str, str, dict[str, Any]]:
    recipient, why = _address(notification)
    return notification.title, recipient, {"message": notification.message, "why": why}


def _receipt(notification: Notification) -> Receipt | None:
    """Return the receipt that goes with the notice that a payment has arrived; None to the seller, and with others."""
    paid = _ORDER_PAID.fullmatch(notification.source)
    if notification.kind != "payment_succeeded" or paid is None:
        return None
    order = Order.objects.with_parties().filter(pk=int(paid[1]), buyer_id=notification.recipient_id).first()
    return None if order is None else receipts.build_receipt(order)


def _address(notification: Notification) -> tuple[str, str]:
    """Return where it goes, and why there: to the account's address; that it has another one, to the former."""
    if notification.source.startswith(PREVIOUS_EMAIL_SOURCE):
        former = PreviousEmail.objects.filter(pk=notification.source.removeprefix(PREVIOUS_EMAIL_SOURCE)).first()
        if former is not None:
            return former.email, _FORMER
    return notification.recipient.email, _OPTIONAL if KINDS[notification.kind].optional else _ALWAYS
