"""Previews a bid: whether it would be accepted, and what it could cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auctioncraft.core.errors import DomainError, Invalid, NotFound
from auctions.formats.base import BidRequest
from auctions.services import eligibility
from auctions.services.bid_store import store

if TYPE_CHECKING:
    from decimal import Decimal

    from accounts.models import User
    from auctions.services.bid_store.types import AuctionSnapshot


def preview_bid(
    *, product_id: int, user: User, amount: Decimal | None = None, max_amount: Decimal | None = None
) -> dict[str, Any]:
    """Return whether a bid would be accepted now and the most it could cost, in the product's currency.

    The answer depends only on public data and the bidder's own maximum. It does not tell whether the bid would lead:
    that would reveal the leader's maximum. Raises NotFound, and Invalid for a malformed bid.
    """
    snapshot = store().read_snapshot(product_id=product_id, bidder_id=user.pk, credential=None)
    if snapshot is None:
        raise NotFound
    bid = BidRequest(user.pk, amount, max_amount)
    refusal, limit = _find_refusal(snapshot, bid), bid.limit
    currency = snapshot.terms.currency
    return {
        "acceptable": refusal is None,
        "code": refusal and refusal.code,
        "detail": refusal and refusal.message,
        "minimum_bid": snapshot.rules.minimum_bid(snapshot.terms, snapshot.state.price),
        "at_most": snapshot.sale.breakdown(limit),
        "currency": currency,
        "server_time": snapshot.now,
    }


def _find_refusal(snapshot: AuctionSnapshot, bid: BidRequest) -> DomainError | None:
    try:
        snapshot.rules.evaluate_bid(snapshot.terms, snapshot.state, bid, snapshot.now)
    except Invalid:
        raise
    except DomainError as refusal:
        return refusal
    return eligibility.find_refusal(snapshot.bidder, limit=bid.limit, currency=snapshot.terms.currency)
