"""The event log of a product. A bid writes its own events, in one statement (bid_store)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auctioncraft.core import money
from auctioncraft.core.clock import isoformat_utc
from auctions.formats.base import reserve_met
from auctions.models import Auction, AuctionEvent, EventOutbox

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from auctions.formats.base import Format, State, Terms


def public_state(rules: Format, terms: Terms, state: State) -> dict[str, Any]:
    """Return what an event of a bid or a void says of the auction after it."""
    return {
        "current_price": money.to_text_or_none(state.price, terms.currency),
        "minimum_bid": money.to_text(rules.minimum_bid(terms, state.price), terms.currency),
        "bid_count": state.bid_count,
        "ends_at": isoformat_utc(state.ends_at),
        "reserve_met": reserve_met(terms.reserve_price, state.price),
    }


def record(auction: Auction, kind: AuctionEvent.Kind, at: datetime, data: dict[str, Any], **private: Any) -> None:
    """Append a public event and its outbox row; count up `seq` and `version` of a locked auction, and save it."""
    append([new_event(auction, kind, at, data, **private)])
    auction.save()


def new_event(
    auction: Auction, kind: AuctionEvent.Kind, at: datetime, data: dict[str, Any], **private: Any
) -> AuctionEvent:
    """Return the next event of an auction, not yet stored, and count up `seq` and `version` of the instance."""
    auction.seq += 1
    auction.version += 1
    return AuctionEvent(
        product_id=auction.product_id, seq=auction.seq, kind=kind, data=data, private=private, created_at=at
    )


def append(events: Iterable[AuctionEvent]) -> None:
    """Store new events and their outbox rows. The caller has locked the auctions and saves them afterwards."""
    stored = AuctionEvent.objects.bulk_create(events)
    EventOutbox.objects.bulk_create(EventOutbox(product_id=event.product_id, seq=event.seq) for event in stored)
