"""The row lock of an auction, taken for every change except a bid. Lock order: docs/concurrency.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auctioncraft.core import clock
from auctioncraft.core.errors import NotFound
from auctions.models import Auction, Product

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime


def lock_auction(product_id: int, *, skip_locked: bool = False) -> Auction | None:
    """Lock an auction; return it with its product, or None if it does not exist or is locked and to be skipped."""
    # NO KEY, or inserting bids and events, which reference the product, would wait too.
    locked = Auction.objects.select_for_update(no_key=True, skip_locked=skip_locked)
    found: Auction | None = locked.filter(pk=product_id).first()
    if found is not None:
        # Read after the lock: a joined row would be as it was before the wait. Not locked: strangers lock it to watch
        # it, and a closer that skips locked rows would never get its turn.
        found.product = Product.objects.get(pk=product_id)
    return found


def lock_auctions(product_ids: Collection[int]) -> list[Auction]:
    """Lock those auctions that nobody else has locked; return them with their products, by primary key."""
    free = Auction.objects.select_for_update(no_key=True, of=("self",), skip_locked=True).select_related("product")
    return list(free.filter(pk__in=product_ids).order_by("pk"))


def lock_or_404(product_id: int) -> tuple[Auction, datetime]:
    """Lock an auction; return it and the time, UTC, read after the lock. Raises NotFound.

    The time is never before the last bid, even if the clock steps back.
    """
    auction = lock_auction(product_id)
    if auction is None:
        raise NotFound
    now = clock.now()
    return auction, max(now, auction.last_bid_at or now)
