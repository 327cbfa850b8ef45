"""What the sale comes to afterwards, as far as the auction knows: whether the winner has paid, or has not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auctions.models import Auction, AuctionEvent
from auctions.services import event_log

if TYPE_CHECKING:
    from datetime import datetime


def record_payment(*, product_id: int, at: datetime) -> None:
    """Note that the winner has paid, at `at`, UTC. Called inside the transaction that marks the order paid."""
    Auction.objects.filter(pk=product_id, paid_at__isnull=True).update(paid_at=at)


def record_payment_default(*, auction: Auction, at: datetime) -> None:
    """Note that the winner of a locked auction did not pay in time, as of `at`, UTC: the seller may sell it otherwise.

    Called inside the transaction that lets the order expire. Who did not pay is nobody else's business.
    """
    auction.payment_defaulted_at = at
    event_log.record(
        auction=auction,
        kind=AuctionEvent.Kind.SALE_FELL_THROUGH,
        at=at,
        data={},
        private={"buyer": auction.winner_id, "seller": auction.product.seller_id},
    )
    auction.save(update_fields=("payment_defaulted_at", "seq", "version"))
