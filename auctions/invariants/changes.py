"""Which products changed since a time, for `check_invariants --since`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auctioncraft.core.invariants import changed_since
from auctions.models import Auction, AuctionEvent, Product

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime


@changed_since(Product)
def find_changed_products(since: datetime) -> Iterator[int]:
    """Yield the keys of products that were created, bid on or have an event since then; some more than once.

    Every public change has an event; a raised maximum shows in last_bid_at alone. There is no index on these times, so
    each table is read once.
    """
    yield from Product.objects.order_by().filter(created_at__gte=since).values_list("pk", flat=True).iterator()
    yield from Auction.objects.order_by().filter(last_bid_at__gte=since).values_list("pk", flat=True).iterator()
    events = AuctionEvent.objects.order_by().filter(created_at__gte=since)
    yield from events.values_list("product_id", flat=True).distinct().iterator()
