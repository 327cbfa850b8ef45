"""The lock of an auction: whoever changes one, but for a bid, holds it. Lock order: docs/concurrency.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auctioncraft.core import clock
from auctioncraft.core.errors import NotFound
from auctions.models import Auction

if TYPE_CHECKING:
    from datetime import datetime


def lock_auction(product_id: int, *, skip_locked: bool = False) -> Auction | None:
    """Lock an auction's row and return it with its product; None if there is none, or it is held and to be skipped."""
    # NO KEY, or inserting bids and events, which refer to the product, would wait as well. The product too: of a row
    # that is only joined, whoever had to wait for the lock would read what it was before the wait.
    found: Auction | None = (
        Auction.objects.select_for_update(no_key=True, of=("self", "product"), skip_locked=skip_locked)
        .select_related("product")
        .filter(pk=product_id)
        .first()
    )
    return found


def lock_or_404(product_id: int) -> tuple[Auction, datetime]:
    """Lock an auction; return it and the time, UTC, read after the lock. Raises NotFound.

    A clock that steps back never makes a change look earlier than the bid before it.
    """
    auction = lock_auction(product_id)
    if auction is None:
        raise NotFound
    now = clock.now()
    return auction, max(now, auction.last_bid_at or now)
