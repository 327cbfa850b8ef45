"""Orders: opened by a sale, paid by money that arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings

from auctioncraft import clock
from auctions.services import settlement
from payments.models import Order
from payments.premium import buyers_premium
from payments.signals import order_opened, payment_succeeded

if TYPE_CHECKING:
    from datetime import datetime

    from auctions.models import Auction


def open_order(*, auction: Auction) -> Order:
    """Open the winner's order of a sold auction, whose row the caller has locked; return it if it is there already.

    Total = hammer price + buyer's premium + shipping, in the product's currency. Due PAYMENT_WINDOW after the close
    (UTC). Sends order_opened in the caller's transaction.
    """
    if auction.winner_id is None or auction.hammer_price is None or auction.closed_at is None:
        raise ValueError(f"{auction} is not sold")
    existing = Order.objects.filter(product_id=auction.product_id, buyer_id=auction.winner_id).first()
    if existing is not None:
        return existing
    product = auction.product
    premium = buyers_premium(auction.hammer_price, product.currency, settings.BUYERS_PREMIUM_BANDS)
    order = Order.objects.create(
        product=product,
        buyer_id=auction.winner_id,
        seller_id=product.seller_id,
        currency=product.currency,
        hammer_price=auction.hammer_price,
        buyers_premium=premium,
        shipping=product.shipping,
        total=auction.hammer_price + premium + product.shipping,
        due_at=auction.closed_at + settings.PAYMENT_WINDOW,
        created_at=clock.now(),
    )
    order_opened.send(sender=Order, order=order)
    return order


def mark_paid(*, order: Order, at: datetime) -> None:
    """Turn a locked order that awaits payment `paid`, once its payment has succeeded at `at` (UTC).

    Then its auction, locked before it, is settled, and payment_succeeded is sent: all in the caller's transaction.
    """
    if order.status != Order.Status.AWAITING_PAYMENT:
        raise ValueError(f"{order} is {order.status}")
    order.status = Order.Status.PAID
    order.paid_at = at
    order.save(update_fields=("status", "paid_at"))
    settlement.settle(product_id=order.product_id, at=at)
    payment_succeeded.send(sender=Order, order=order)
