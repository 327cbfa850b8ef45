"""The row lock of an auction, taken for every change except a bid. Lock order: docs/concurrency.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auctioncraft.core import clock
from auctioncraft.core.errors import NotFound
from auctions.models import Auction

if TYPE_CHECKING:
    from datetime import datetime


def lock_auction(product_id: int, *, skip_locked: bool = False) -> Auction | None:
    """Lock an auction and its product; return it, or None if it does not exist or is locked and to be skipped."""
    # NO KEY, or inserting bids and events, which reference the product, would wait too. The product is locked as well:
    # a row that is only joined would be read as it was before the wait.
    found: Auction | None = (
        Auction.objects.select_for_update(no_key=True, of=("self", "product"), skip_locked=skip_locked)
        .select_related("product")
        .filter(pk=product_id)
        .first()
    )
    return found


def lock_or_404(product_id: int) -> tuple[Auction, datetime]:
    """Lock an auction; return it and the time, UTC, read after the lock. Raises NotFound.

    The time is never before the last bid, even if the clock steps back.
    """
    auction = lock_auction(product_id)
    if auction is None:
        raise NotFound
    now = clock.now()
    return auction, max(now, auction.last_bid_at or now)
