"""Let time pass for a product, on both databases: its stored times move back, the clock does not move."""

from datetime import timedelta

from django.db.models import F

from auctions.models import Auction, AuctionEvent, Bid, SecondChanceOffer
from auctions.services import closing
from payments.models import Order, Payment
from payments.services import expiry

TIME_FIELDS = {
    Auction: ("starts_at", "ends_at", "hard_ends_at", "last_bid_at", "closed_at", "paid_at", "payment_defaulted_at"),
    Bid: ("placed_at",),
    AuctionEvent: ("created_at",),
    SecondChanceOffer: ("offered_at", "expires_at", "answered_at"),
    Order: ("created_at", "due_at", "paid_at", "expired_at"),
}


def advance_time(product, **time):
    """Let time (the arguments of timedelta) pass for a product, with no worker running."""
    for model, fields in TIME_FIELDS.items():
        rows = model.objects.filter(product_id=product.pk)
        rows.update(**{field: F(field) - timedelta(**time) for field in fields})
    # Payments and orders wait for their next attempt.
    for rows in (Payment.objects.filter(order__product_id=product.pk), Order.objects.filter(product_id=product.pk)):
        rows.update(next_attempt_at=F("next_attempt_at") - timedelta(**time))


def let_order_expire(product, seller):
    """Close a product unless it is closed, and let its order expire unpaid."""
    if Auction.objects.get(pk=product.pk).status == "open":
        closing.close_auction(product_id=product.pk, actor=seller)
    advance_time(product, hours=96)
    assert expiry.expire_due() == 1
