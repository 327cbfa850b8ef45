"""What the apps below say, heard in their transaction: each writes rows, nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from django.dispatch import receiver

from accounts.signals import code_requested, refresh_reused
from auctioncraft import clock, money
from notifications.services.deliveries import request_code
from notifications.services.notices import notify
from payments.signals import order_opened, payment_failed, payment_succeeded

if TYPE_CHECKING:
    from accounts.models import OneTimeCode, User
    from payments.models import Order


@receiver(code_requested)
def mail_code(*, code: OneTimeCode, **_: Any) -> None:
    """Mail the code; it is not written down here, the mail's composer derives it."""
    request_code(code=code)


@receiver(refresh_reused)
def warn_of_reuse(*, user: User, **_: Any) -> None:
    """Warn the account, once an hour at most: whoever holds an old token could else flood its mailbox."""
    notify(recipient=user, kind="new_login", source=f"user:{user.pk}:reuse:{clock.now():%Y-%m-%dT%H}", context={})


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


def _tell(recipient: User, kind: str, order: Order, what: str) -> None:
    context = {
        "product": order.product.name,
        "total": money.to_text(order.total, order.currency),
        "currency": order.currency,
        "due_at": f"{order.due_at:%Y-%m-%d %H:%M} UTC",
    }
    notify(recipient=recipient, kind=kind, source=f"order:{order.pk}:{what}", context=context, product=order.product)
