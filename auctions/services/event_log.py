"""The event log, for every change but a bid's (which writes its own in one statement)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auctions.models import Auction, AuctionEvent, EventOutbox

if TYPE_CHECKING:
    from datetime import datetime


def record(
    *, auction: Auction, kind: AuctionEvent.Kind, at: datetime, data: dict[str, Any], private: dict[str, Any]
) -> None:
    """Append a public event. The caller holds the auction's row lock, in a transaction, and saves the auction after.

    Raises `seq` and `version` on the instance, inserts the event and its outbox row.
    """
    auction.seq += 1
    auction.version += 1
    AuctionEvent.objects.create(
        product_id=auction.product_id, seq=auction.seq, kind=kind, data=data, private=private, created_at=at
    )
    EventOutbox.objects.create(product_id=auction.product_id, seq=auction.seq)
