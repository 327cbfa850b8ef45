"""Payments that were received outside Stripe, recorded by a person (docs/rules.md, Other money)."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction

from accounts.services import staff_actions
from auctioncraft.core import clock, idempotency, money
from auctioncraft.core.errors import Invalid, NotFound
from auctions.models import Auction
from payments import errors
from payments.models import Order, Payment
from payments.services import expiry, order_log, orders, refunds

if TYPE_CHECKING:
    from datetime import date
    from decimal import Decimal

    from accounts.models import User


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedPayment:
    """What was received, how, and on which day. `note`: why staff record it."""

    amount: Decimal
    currency: str
    method: str
    received_on: date
    reference: str = ""
    note: str = ""


def record_payment(
    *, order_id: int, actor: User, received: ReceivedPayment, idempotency_key: str | None = None
) -> Payment:
    """Record that an order was paid outside Stripe, in full; return the payment.

    By staff who are not its buyer or seller and, with OFFLINE_PAYMENTS, its seller. The order is then paid like any
    other, in one transaction. What the buyer could still pay at Stripe is canceled after it; if that is too late the
    money is surplus.

    Raises NotFound, PermissionDenied, ConflictOfInterest, OrderPaid, OrderNotPayable, Invalid, IdempotencyKeyReused.
    """
    parameters = dataclasses.asdict(received)
    recorded = idempotency.run_idempotent(
        idempotency.identify("record_payment", user_id=actor.pk, key=idempotency_key, order=order_id, **parameters),
        lambda: {"payment": _record(order_id, actor, received).pk},
    )
    expiry.cancel_now(order_id=order_id)
    return Payment.objects.get(pk=recorded["payment"])


@transaction.atomic
def _record(order_id: int, actor: User, received: ReceivedPayment) -> Payment:
    product_id = Order.objects.visible_to(actor).filter(pk=order_id).values_list("product_id", flat=True).first()
    if product_id is None:
        raise NotFound
    Auction.objects.select_for_update(no_key=True).only("pk").get(pk=product_id)
    order = Order.objects.locked(order_id)
    is_seller = settings.OFFLINE_PAYMENTS and actor.pk == order.seller_id
    if not is_seller:
        order_log.check_staff(user=actor, order=order)
        staff_actions.check_reason(received.note, field="note")
    if order.status == Order.Status.PAID:
        raise errors.OrderPaid
    if order.status != Order.Status.AWAITING_PAYMENT:
        raise errors.OrderNotPayable
    if received.currency != order.currency:
        raise Invalid(currency=f"This order is in {order.currency}.")
    if received.amount != order.total:
        raise Invalid(amount=f"The amount due is {money.to_text(order.total, order.currency)} {order.currency}.")
    refunds.check_date(received.received_on, field="received_on")
    now = clock.now()
    payment = Payment.objects.create(
        order=order,
        amount=order.total,
        currency=order.currency,
        status=Payment.Status.SUCCEEDED,
        received=order.total,
        received_currency=order.currency,
        succeeded_at=now,
        method=received.method,
        reference=received.reference,
        dated=received.received_on,
        recorded_by=actor,
    )
    orders.mark_paid(order=order, payment=payment, at=now, actor=actor, note=received.note)
    return payment
