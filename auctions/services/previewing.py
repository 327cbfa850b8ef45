"""What a bid would come to, without making it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auctioncraft import money
from auctioncraft.clock import to_text
from auctioncraft.errors import DomainError, Invalid, NotFound
from auctions import pricing
from auctions.models import Product
from auctions.services import bidding
from auctions.services.bid_store import store

if TYPE_CHECKING:
    from decimal import Decimal

    from accounts.models import User
    from auctions.services.bid_store.records import Look


def preview_bid(
    *, product_id: int, user: User, amount: Decimal | None = None, max_amount: Decimal | None = None
) -> dict[str, Any]:
    """Return whether a bid would be taken now and what it could cost at most, in the product's currency.

    It binds nobody, and says nothing that the bidder does not know: what it rests on is public, or their own maximum.
    Whether the bid would lead is not told, for that is the leader's maximum. Raises NotFound, and Invalid for what is
    no bid at all.
    """
    look = store().look(product_id=product_id, bidder_id=user.pk, credential=None)
    if look is None:
        raise NotFound
    offer = pricing.Offer(user.pk, amount, max_amount)
    refusal, most = _refusal(look, offer), offer.most
    currency = look.terms.currency
    product = Product.objects.only("shipping", "premium_bands", "currency").get(pk=product_id)
    premium = product.premium_on(most)
    return {
        "acceptable": refusal is None,
        "code": refusal and refusal.code,
        "detail": refusal and refusal.message,
        "minimum_bid": money.to_text(pricing.minimum_bid(look.terms, look.state.price), currency),
        "at_most": {
            "hammer_price": money.to_text(most, currency),
            "buyers_premium": money.to_text(premium, currency),
            "shipping": money.to_text(product.shipping, currency),
            "total": money.to_text(most + premium + product.shipping, currency),
        },
        "currency": currency,
        "server_time": to_text(look.now),
    }


def _refusal(look: Look, offer: pricing.Offer) -> DomainError | None:
    try:
        pricing.decide(look.terms, look.state, offer, look.now)
    except Invalid:
        raise
    except DomainError as refusal:
        return refusal
    return bidding.refusal(look, offer)
