"""Orders: opened by a sale, paid by money that arrived."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.conf import settings

from accounts.services import bidder_status
from auctions.services import sale_outcome
from payments.models import Order, OrderEvent
from payments.services import cards, order_log, payouts
from payments.signals import order_opened, payment_succeeded

if TYPE_CHECKING:
    from datetime import datetime

    from accounts.models import User
    from auctions.models import Auction
    from payments.models import Payment


def open_order(*, auction: Auction, at: datetime) -> Order:
    """Open the winner's order of an auction sold `at`, UTC, whose row is locked; return it if it is there already.

    Total = hammer price + buyer's premium (by the bands the product was listed under) + shipping, in the product's
    currency. Due PAYMENT_WINDOW after the sale; at once from a winner whose account was erased. Sends order_opened in
    the caller's transaction.
    """
    if auction.winner_id is None or auction.hammer_price is None:
        raise ValueError(f"{auction} is not sold")
    existing = Order.objects.filter(product_id=auction.product_id, buyer_id=auction.winner_id).first()
    if existing is not None:
        return existing
    product = auction.product
    # An erased account that leads after a void will not pay: the seller need not wait.
    time_to_pay = timedelta(0) if bidder_status.is_erased(user_id=auction.winner_id) else settings.PAYMENT_WINDOW
    premium = product.premium_on(auction.hammer_price)
    order = Order.objects.create(
        product=product,
        buyer_id=auction.winner_id,
        seller_id=product.seller_id,
        currency=product.currency,
        hammer_price=auction.hammer_price,
        buyers_premium=premium,
        shipping=product.shipping,
        total=auction.hammer_price + premium + product.shipping,
        due_at=at + time_to_pay,
        created_at=at,
        auto_charge=Order.AutoCharge.DUE if cards.auto_charge_card(user_id=auction.winner_id) else "",
    )
    order_log.record(order=order, kind=OrderEvent.Kind.OPENED, at=at)
    order_opened.send(sender=Order, order=order)
    return order


def mark_paid(*, order: Order, payment: Payment, at: datetime, actor: User | None = None, note: str = "") -> None:
    """Turn a locked order that awaits payment `paid`, once its payment, locked too, has succeeded at `at` (UTC).

    `actor`: who recorded a payment that was received outside Stripe; `note`: why, of staff.

    Then its auction, locked before it, is settled, its seller's payout opened, and payment_succeeded sent: all in the
    caller's transaction.
    """
    if order.status != Order.Status.AWAITING_PAYMENT:
        raise ValueError(f"{order} is {order.status}")
    order.status = Order.Status.PAID
    order.paid_at = at
    order.save(update_fields=("status", "paid_at"))
    role = order_log.role_in_order(user=actor, order=order) if actor else OrderEvent.Role.STRIPE
    order_log.record(
        order=order,
        kind=OrderEvent.Kind.PAID,
        at=at,
        role=role,
        actor=actor,
        **({"method": str(payment.method)} if payment.is_recorded else {}),
        **({"note": note} if note else {}),
    )
    sale_outcome.record_payment(product_id=order.product_id, at=at)
    payouts.open_payout(order=order, payment=payment, at=at)
    payment_succeeded.send(sender=Order, order=order)
