"""Orders: opened by a sale, paid by money that arrived."""

from __future__ import annotations

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
    from auctioncraft.core.pricing import SaleTerms
    from auctions.models import Auction
    from payments.models import Payment


def open_order(*, auction: Auction, terms: SaleTerms, at: datetime) -> Order:
    """Open the winner's order of an auction sold `at`, UTC, whose row is locked; return it if it is there already.

    The total is that of `terms`, which the buyer agreed to. Due PAYMENT_WINDOW after the sale. Sends order_opened in
    the caller's transaction.
    """
    if auction.winner_id is None or auction.hammer_price is None:
        raise ValueError(f"{auction} is not sold")
    existing = Order.objects.filter(product_id=auction.product_id, buyer_id=auction.winner_id).first()
    if existing is not None:
        return existing
    product = auction.product
    order = Order.objects.create(
        product=product,
        buyer_id=auction.winner_id,
        seller_id=product.seller_id,
        **terms.breakdown(auction.hammer_price),
        due_at=at + settings.PAYMENT_WINDOW,
        created_at=at,
        auto_charge=Order.AutoCharge.DUE if cards.auto_charge_card(user_id=auction.winner_id) else "",
    )
    bidder_status.add_unpaid_order(user_id=order.buyer_id)
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
    bidder_status.remove_unpaid_order(user_id=order.buyer_id)
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
