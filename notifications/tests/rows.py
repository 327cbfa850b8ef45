"""Events as the auctions app writes them, and what was written for them."""

from decimal import Decimal

from auctioncraft.core import clock
from auctions.models import Auction, AuctionEvent, Bid, BidVoid, EventOutbox
from notifications.models import EmailDelivery, Notification
from tests import factories


def product(seller, **fields):
    return factories.product(seller, name=fields.pop("name", "A lamp"), **fields)


def event(product, kind, data, private=None):
    seq = AuctionEvent.objects.filter(product=product).count() + 1
    row = AuctionEvent.objects.create(
        product=product, seq=seq, kind=kind, data=data, private=private or {}, created_at=clock.now()
    )
    EventOutbox.objects.create(product_id=product.pk, seq=seq)
    return row


def bid(product, bidder, outcome="leading"):
    version = Bid.objects.filter(product=product).count() + 1
    return Bid.objects.create(
        product=product,
        version=version,
        bidder=bidder,
        displayed_amount=Decimal(5),
        outcome=outcome,
        placed_at=clock.now(),
    )


def void(bid, staff):
    version = 1000 + BidVoid.objects.count()
    return BidVoid.objects.create(
        bid=bid, product=bid.product, version=version, reason="-", voided_by=staff, voided_at=clock.now()
    )


def outbid(product, *, bidder, displaced):
    data = {
        "bidder": product.alias_of(bidder.pk),
        "amount": "12.00",
        "current_price": "12.00",
        "minimum_bid": "12.50",
        "bid_count": 2,
        "reserve_met": True,
        "ends_at": "2030-01-01T00:00:00Z",
        "currency": "USD",
    }
    private = {"bidder": bidder.pk, "leader": bidder.pk, "outbid": displaced and displaced.pk}
    return event(product, "bid_placed", data, private)


def closed(product, *, winner=None, result="sold", by="time"):
    sold = result == "sold"
    now = clock.now()
    Auction.objects.filter(product=product).update(
        status="sold" if sold else "unsold",
        result=result,
        winner=winner,
        hammer_price=Decimal(12) if sold else None,
        sale_type=("buy_now" if by == "buy_now" else "hammer") if sold else "",
        closed_at=now,
    )
    data = {
        "result": result,
        "final_price": "12.00" if sold else None,
        "currency": "USD",
        "winner": product.alias_of(winner.pk) if winner else None,
        "by": by,
    }
    return event(product, "closed", data, {"winner": winner and winner.pk, "seller": product.seller_id})


def sale(seller, winner, losers, **fields):
    """Return a product on which all of them bid and that the winner won."""
    sold = product(seller, **fields)
    for bidder in (*losers, winner):
        bid(sold, bidder)
    closed(sold, winner=winner)
    return sold


def notified(**filters):
    """Return (recipient, kind, source) of each notification, in the order of writing."""
    rows = Notification.objects.filter(**filters).order_by("pk")
    return [(row.recipient.email.split("@")[0], row.kind, row.source) for row in rows.select_related("recipient")]


def texts(**filters):
    """Return (kind, title, message) by recipient."""
    found = Notification.objects.filter(**filters).select_related("recipient")
    return {row.recipient.email.split("@")[0]: (row.kind, row.title, row.message) for row in found}


def emails():
    """Return (recipient, kind) of each email delivery."""
    rows = EmailDelivery.objects.select_related("notification__recipient").order_by("pk")
    return [(row.notification.recipient.email.split("@")[0], row.notification.kind) for row in rows if row.notification]
