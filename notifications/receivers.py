"""React to signals of the apps below: write notifications and email deliveries in their transactions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from django.dispatch import receiver

from accounts.devices import describe_device
from accounts.signals import (
    code_requested,
    email_change_requested,
    email_changed,
    new_device_signed_in,
    password_changed,
    refresh_token_reused,
    staff_acted,
)
from auctioncraft.core import clock, money
from notifications.email import PREVIOUS_EMAIL_SOURCE, STAFF_ACTION_SOURCE
from notifications.kinds import format_datetime
from notifications.models import EmailDelivery
from notifications.services.notification_writer import notify
from payments.signals import (
    order_expired,
    order_opened,
    payment_failed,
    payment_reminded,
    payment_succeeded,
    refund_issued,
)

if TYPE_CHECKING:
    from accounts.models import OneTimeCode, PreviousEmail, Session, StaffAction, User
    from payments.models import Order, Refund


@receiver(code_requested)
def mail_code(*, code: OneTimeCode, **_: Any) -> None:
    """Queue the code's email. It stores no digits: they are derived when the email is composed."""
    EmailDelivery.objects.create(code=code)


@receiver(refresh_token_reused)
def notify_token_reuse(*, user: User, **_: Any) -> None:
    """Notify the user, at most once an hour, so that the holder of an old token cannot flood their mailbox."""
    notify(recipient=user, kind="new_login", source=f"user:{user.pk}:reuse:{clock.now():%Y-%m-%dT%H}", context={})


@receiver(new_device_signed_in)
def notify_new_device(*, user: User, session: Session, **_: Any) -> None:
    """Notify the user of a device that signed in for the first time."""
    context = {"device": describe_device(session.user_agent), "at": format_datetime(session.created_at)}
    notify(recipient=user, kind="new_login", source=f"session:{session.pk}", context=context, variant="device")


@receiver(password_changed)
def notify_password_changed(*, user: User, **_: Any) -> None:
    """Notify the user, once per password."""
    notify(recipient=user, kind="account_changed", source=f"user:{user.pk}:password:{user.token_version}", context={})


@receiver(email_change_requested)
def notify_email_change_requested(*, user: User, code: OneTimeCode, **_: Any) -> None:
    """Notify the user at the current address."""
    notify(recipient=user, kind="account_changed", source=f"code:{code.pk}", context={}, variant="email_requested")


@receiver(email_changed)
def notify_email_changed(*, user: User, previous: PreviousEmail, **_: Any) -> None:
    """Notify the user at the previous address."""
    source = f"{PREVIOUS_EMAIL_SOURCE}{previous.pk}"
    notify(recipient=user, kind="account_changed", source=source, context={}, variant="email")


@receiver(staff_acted)
def notify_staff_action(*, user: User, action: StaffAction, **_: Any) -> None:
    """Notify the user of what staff did to the account. The reason is internal."""
    source = f"{STAFF_ACTION_SOURCE}{action.pk}"
    notify(recipient=user, kind="account_changed", source=source, context={}, variant=action.action)


@receiver(order_opened)
def notify_payment_due(*, order: Order, **_: Any) -> None:
    """Ask the buyer to pay."""
    _notify(order.buyer, "payment_due", order, "opened")


@receiver(payment_succeeded)
def notify_payment_succeeded(*, order: Order, **_: Any) -> None:
    """Notify the buyer and the seller."""
    _notify(order.buyer, "payment_succeeded", order, "paid")
    _notify(order.seller, "payment_succeeded", order, "paid")


@receiver(payment_failed)
def notify_payment_failed(*, order: Order, **_: Any) -> None:
    """Notify the buyer of each failure: the signal is sent once per Stripe event."""
    _notify(order.buyer, "payment_failed", order, f"failed:{uuid4().hex[:16]}")


@receiver(payment_reminded)
def notify_payment_reminder(*, order: Order, payable: bool = True, **_: Any) -> None:
    """Remind the buyer, once per reminder number."""
    variant = "" if payable else "unpayable"
    _notify(order.buyer, "payment_reminder", order, f"reminder:{order.reminders_sent}", variant)


@receiver(order_expired)
def notify_payment_expired(*, order: Order, payable: bool = True, withdrawn: bool = False, **_: Any) -> None:
    """Notify the buyer and the seller."""
    buyer, seller = ("withdrawn", "withdrawn") if withdrawn else ("" if payable else "unpayable", "seller")
    _notify(order.buyer, "payment_expired", order, "expired", buyer)
    _notify(order.seller, "payment_expired", order, "expired", seller)


@receiver(refund_issued)
def notify_refund_issued(*, order: Order, refund: Refund, **_: Any) -> None:
    """Notify the buyer, and the seller if the refunded payment had paid the order."""
    refunded = {"amount": money.to_text(refund.amount, refund.currency), "currency": refund.currency}
    _notify(order.buyer, "refund_issued", order, f"refund:{refund.pk}", **refunded)
    if refund.payment.paid_its_order:
        _notify(order.seller, "refund_issued", order, f"refund:{refund.pk}", "seller", **refunded)


def _notify(recipient: User, kind: str, order: Order, event: str, variant: str = "", **more: str) -> None:
    context = {
        "product": order.product.name,
        "total": money.to_text(order.total, order.currency),
        "currency": order.currency,
        "due_at": format_datetime(order.due_at),
        **more,
    }
    source = f"order:{order.pk}:{event}"
    notify(recipient=recipient, kind=kind, source=source, context=context, product=order.product, variant=variant)
