"""What the apps below say, heard in their transaction: each writes rows, nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from django.dispatch import receiver

from accounts.devices import describe
from accounts.signals import (
    code_requested,
    email_change_requested,
    email_changed,
    new_device_signed_in,
    password_changed,
    refresh_token_reused,
)
from auctioncraft.core import clock, money
from notifications.email import PREVIOUS_EMAIL_SOURCE
from notifications.kinds import format_datetime
from notifications.services.email_delivery import request_code
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
    from accounts.models import OneTimeCode, PreviousEmail, Session, User
    from payments.models import Order, Refund


@receiver(code_requested)
def mail_code(*, code: OneTimeCode, **_: Any) -> None:
    """Mail the code; it is not written down here, the mail's composer derives it."""
    request_code(code=code)


@receiver(refresh_token_reused)
def notify_token_reuse(*, user: User, **_: Any) -> None:
    """Warn the account, once an hour at most: whoever holds an old token could else flood its mailbox."""
    notify(recipient=user, kind="new_login", source=f"user:{user.pk}:reuse:{clock.now():%Y-%m-%dT%H}", context={})


@receiver(new_device_signed_in)
def notify_new_device(*, user: User, sign_in: Session, **_: Any) -> None:
    """Tell the account of a device that it has not seen before."""
    context = {"device": describe(sign_in.user_agent), "at": format_datetime(sign_in.created_at)}
    notify(recipient=user, kind="new_login", source=f"sign_in:{sign_in.pk}", context=context, case="device")


@receiver(password_changed)
def notify_password_changed(*, user: User, **_: Any) -> None:
    """Tell the account, by the version that its tokens are of from then on."""
    notify(recipient=user, kind="account_changed", source=f"user:{user.pk}:password:{user.token_version}", context={})


@receiver(email_change_requested)
def notify_email_change_requested(*, user: User, code: OneTimeCode, **_: Any) -> None:
    """Tell the account, at its present address."""
    notify(recipient=user, kind="account_changed", source=f"code:{code.pk}", context={}, case="email_asked")


@receiver(email_changed)
def notify_email_changed(*, user: User, former: PreviousEmail, **_: Any) -> None:
    """Tell the account, at its former address."""
    notify(
        recipient=user, kind="account_changed", source=f"{PREVIOUS_EMAIL_SOURCE}{former.pk}", context={}, case="email"
    )


@receiver(order_opened)
def ask_to_pay(*, order: Order, **_: Any) -> None:
    """Tell the buyer what is due."""
    _tell(order.buyer, "payment_due", order, "opened")


@receiver(payment_succeeded)
def confirm_payment(*, order: Order, **_: Any) -> None:
    """Tell both sides that the money is there."""
    _tell(order.buyer, "payment_succeeded", order, "paid")
    _tell(order.seller, "payment_succeeded", order, "paid")


@receiver(payment_failed)
def report_failed_payment(*, order: Order, **_: Any) -> None:
    """Tell the buyer, of each failure anew: the signal comes once per Stripe event, in its transaction."""
    _tell(order.buyer, "payment_failed", order, f"failed:{uuid4().hex[:16]}")


@receiver(payment_reminded)
def remind_to_pay(*, order: Order, payable: bool = True, **_: Any) -> None:
    """Remind the buyer, once per reminder, told apart by their number."""
    _tell(
        order.buyer, "payment_reminder", order, f"reminder:{order.reminders_sent}", case="" if payable else "unpayable"
    )


@receiver(order_expired)
def report_expired_order(*, order: Order, payable: bool = True, **_: Any) -> None:
    """Tell both sides that nobody paid."""
    _tell(order.buyer, "payment_expired", order, "expired", case="" if payable else "unpayable")
    _tell(order.seller, "payment_expired", order, "expired", case="seller")


@receiver(refund_issued)
def report_refund(*, order: Order, refund: Refund, **_: Any) -> None:
    """Tell the buyer of money that goes back, and the seller too if it had paid their order."""
    went = {"amount": money.to_text(refund.amount, refund.currency), "currency": refund.currency}
    _tell(order.buyer, "refund_issued", order, f"refund:{refund.pk}", **went)
    if refund.payment.paid_its_order:
        _tell(order.seller, "refund_issued", order, f"refund:{refund.pk}", case="seller", **went)


def _tell(recipient: User, kind: str, order: Order, what: str, case: str = "", **more: str) -> None:
    context = {
        "product": order.product.name,
        "total": money.to_text(order.total, order.currency),
        "currency": order.currency,
        "due_at": format_datetime(order.due_at),
        **more,
    }
    source = f"order:{order.pk}:{what}"
    notify(recipient=recipient, kind=kind, source=source, context=context, product=order.product, case=case)
