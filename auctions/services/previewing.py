"""What a bid would come to, without making it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auctioncraft.core import money
from auctioncraft.core.clock import isoformat_utc
from auctioncraft.core.errors import DomainError, Invalid, NotFound
from auctions.formats.base import BidRequest
from auctions.models import Product
from auctions.services import eligibility
from auctions.services.bid_store import store

if TYPE_CHECKING:
    from decimal import Decimal

    from accounts.models import User
    from auctions.services.bid_store.types import AuctionSnapshot


def preview_bid(
    *, product_id: int, user: User, amount: Decimal | None = None, max_amount: Decimal | None = None
) -> dict[str, Any]:
    """Return whether a bid would be taken now and what it could cost at most, in the product's currency.

    It binds nobody, and says nothing that the bidder does not know: what it rests on is public, or their own maximum.
    Whether the bid would lead is not told, for that is the leader's maximum. Raises NotFound, and Invalid for what is
    no bid at all.
    """
    snapshot = store().read_snapshot(product_id=product_id, bidder_id=user.pk, credential=None)
    if snapshot is None:
        raise NotFound
    bid = BidRequest(user.pk, amount, max_amount)
    refusal, most = _refusal(snapshot, bid), bid.limit
    currency = snapshot.terms.currency
    product = Product.objects.only("shipping", "premium_bands", "currency").get(pk=product_id)
    premium = product.premium_on(most)
    return {
        "acceptable": refusal is None,
        "code": refusal and refusal.code,
        "detail": refusal and refusal.message,
        "minimum_bid": money.to_text(snapshot.rules.minimum_bid(snapshot.terms, snapshot.state.price), currency),
        "at_most": {
            "hammer_price": money.to_text(most, currency),
            "buyers_premium": money.to_text(premium, currency),
            "shipping": money.to_text(product.shipping, currency),
            "total": money.to_text(most + premium + product.shipping, currency),
        },
        "currency": currency,
        "server_time": isoformat_utc(snapshot.now),
    }


def _refusal(snapshot: AuctionSnapshot, bid: BidRequest) -> DomainError | None:
    try:
        snapshot.rules.evaluate_bid(snapshot.terms, snapshot.state, bid, snapshot.now)
    except Invalid:
        raise
    except DomainError as refusal:
        return refusal
    return eligibility.find_refusal(snapshot.bidder, limit=bid.limit, currency=snapshot.terms.currency)
