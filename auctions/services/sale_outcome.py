"""Records on the auction whether its winner paid."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auctions.models import Auction, AuctionEvent
from auctions.services import event_log

if TYPE_CHECKING:
    from datetime import datetime


def record_payment(*, product_id: int, at: datetime) -> None:
    """Record that the winner paid at `at`, UTC. Called in the transaction that marks the order paid."""
    Auction.objects.filter(pk=product_id, paid_at__isnull=True).update(paid_at=at)


def record_payment_default(*, auction: Auction, at: datetime) -> None:
    """Record that the winner of a locked auction did not pay by `at`, UTC; the seller may now sell it otherwise.

    Called in the transaction that expires the order. The public event does not name the buyer.
    """
    auction.payment_defaulted_at = at
    kind, seller = AuctionEvent.Kind.SALE_FELL_THROUGH, auction.product.seller_id
    event_log.record(auction, kind, at, {}, buyer=auction.winner_id, seller=seller)
