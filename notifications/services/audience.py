"""Whom an auction's events concern, and in which words each of them is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from auctions.models import Auction, AuctionEvent
from notifications.kinds import format_datetime

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FOR_ALL_BIDDERS: Final = frozenset({AuctionEvent.Kind.CLOSED, AuctionEvent.Kind.CANCELLED})

_UNSOLD: Final = {
    Auction.Result.RESERVE_NOT_MET: "the reserve was not met",
    Auction.Result.NO_BIDS: "nobody bid",
}


@dataclass(frozen=True, slots=True)
class Words:
    """A kind of notice, in one of its cases, to people who are told it alike; `context`: beside the event's data."""

    kind: str
    recipients: set[int]
    case: str = ""
    context: Mapping[str, Any] = field(default_factory=dict)


def of(event: AuctionEvent, bidders: set[int]) -> Iterator[Words]:
    """Yield whom an event concerns; `bidders` are all who have a bid, for the kinds FOR_ALL_BIDDERS.

    Raises KeyError, TypeError or ValueError if the event is not what auctions writes. The kinds that are not here
    concern nobody who is not told already: of a sale that fell through, payments says more.
    """
    match event.kind:
        case AuctionEvent.Kind.BID_PLACED:
            if event.private["outbid"] is not None:
                yield Words("outbid", {_id(event.private["outbid"])})
        case AuctionEvent.Kind.CANCELLED:
            yield Words("auction_cancelled", {event.product.seller_id} | bidders)
        case AuctionEvent.Kind.CLOSED:
            yield from _of_close(event, bidders)
        case AuctionEvent.Kind.BID_VOIDED:
            yield from _of_void(event)
        case AuctionEvent.Kind.RESERVE_WAIVED:
            yield from _of_sale(event, "below_reserve")
        case AuctionEvent.Kind.SECOND_CHANCE_OFFERED:
            yield _of_offer(event)
        case AuctionEvent.Kind.SECOND_CHANCE_ACCEPTED:
            yield from _of_sale(event, "second_chance")
        case AuctionEvent.Kind.SECOND_CHANCE_DECLINED | AuctionEvent.Kind.SECOND_CHANCE_LAPSED:
            case = "declined" if event.kind == AuctionEvent.Kind.SECOND_CHANCE_DECLINED else ""
            yield Words("second_chance_ended", {event.product.seller_id}, case)


def moves_the_end(event: AuctionEvent) -> bool:
    """Return whether an event is of an end that somebody moved; a soft close is not, it moves by minutes."""
    if event.kind == AuctionEvent.Kind.EXTENDED:
        return bool(event.data.get("by") == "staff")
    return event.kind == AuctionEvent.Kind.EDITED and "ends_at" in event.data


def _of_close(event: AuctionEvent, bidders: set[int]) -> Iterator[Words]:
    result = event.data["result"]
    if result == Auction.Result.SOLD:
        case = "buy_now" if event.data.get("by") == "buy_now" else ""
        yield from _of_sale(event, case)
        yield Words("auction_lost", bidders - {_id(event.private["winner"])}, case)
    elif result in _UNSOLD:
        yield Words("auction_unsold", {event.product.seller_id}, context={"reason": _UNSOLD[result]})
        yield Words("auction_lost", bidders)
    else:
        raise ValueError(f"an auction closed as {result!r}")


def _of_sale(event: AuctionEvent, case: str) -> Iterator[Words]:
    yield Words("auction_won", {_id(event.private["winner"])}, case)
    yield Words("auction_sold", {event.product.seller_id}, case)


def _of_offer(event: AuctionEvent) -> Words:
    context = {
        "amount": event.private["amount"],
        "currency": event.product.currency,
        "expires_at": format_datetime(datetime.fromisoformat(event.private["expires_at"])),
    }
    return Words("second_chance_offer", {_id(event.private["bidder"])}, context=context)


def _of_void(event: AuctionEvent) -> Iterator[Words]:
    """Each is told once: as the bidder, else as the leader (whose price may have moved), else as who led before."""
    bidder, leader, before = (event.private[who] for who in ("bidder", "leader", "former_leader"))
    amount, price, currency = (event.data[what] for what in ("amount", "current_price", "currency"))
    context = {
        # A raised maximum stood at no amount of its own.
        "bid": "a bid" if amount is None else f"a bid of {amount} {currency}",
        "at": "" if amount is None else f", of {amount} {currency},",
        "standing": "There is no bid on it now." if price is None else f"The price is now {price} {currency}.",
        "reason": event.private["reason"],
    }
    yield Words("bid_voided", {_id(bidder)}, "own_leads" if leader == bidder else "own", context)
    if leader not in {None, bidder}:
        yield Words("bid_voided", {_id(leader)}, "leads", context)
    if before not in {None, bidder, leader}:
        yield Words("bid_voided", {_id(before)}, "displaced", context)
    yield Words("bid_voided", {event.product.seller_id}, context=context)


def _id(value: Any) -> int:
    if not isinstance(value, int):
        raise TypeError("a user id was expected")
    return value
