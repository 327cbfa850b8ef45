"""The event log of a product. A bid writes its own events, in one statement (bid_store)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auctions.models import Auction, AuctionEvent, EventOutbox

if TYPE_CHECKING:
    from datetime import datetime


def record(auction: Auction, kind: AuctionEvent.Kind, at: datetime, data: dict[str, Any], **private: Any) -> None:
    """Append a public event and its outbox row; count up `seq` and `version` of a locked auction, and save it."""
    auction.seq += 1
    auction.version += 1
    AuctionEvent.objects.create(
        product_id=auction.product_id, seq=auction.seq, kind=kind, data=data, private=private, created_at=at
    )
    EventOutbox.objects.create(product_id=auction.product_id, seq=auction.seq)
    auction.save()
