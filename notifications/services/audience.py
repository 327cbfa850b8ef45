"""Who is notified of an auction's event, and with which text."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from auctions.models import Auction, AuctionEvent
from notifications.kinds import format_datetime

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Events of which all bidders are notified.
FOR_ALL_BIDDERS: Final = frozenset({AuctionEvent.Kind.CLOSED, AuctionEvent.Kind.CANCELLED})

_UNSOLD_REASONS: Final = {
    Auction.Result.RESERVE_NOT_MET: "the reserve price was not met",
    Auction.Result.NO_BIDS: "there were no bids",
}


@dataclass(frozen=True, slots=True)
class NotificationSpec:
    """A notification kind and variant for some recipients. `context` extends the event's data."""

    kind: str
    recipients: set[int]
    variant: str = ""
    context: Mapping[str, Any] = field(default_factory=dict)


def specs_for(event: AuctionEvent, bidders: set[int]) -> Iterator[NotificationSpec]:
    """Yield the notifications of an event. `bidders`: all bidders, for events in FOR_ALL_BIDDERS.

    Raises KeyError, TypeError or ValueError if the event's data is malformed. Event kinds that are not listed here
    notify nobody; after a sale, payments sends its own notifications.
    """
    match event.kind:
        case AuctionEvent.Kind.BID_PLACED if event.private["outbid"] is not None:
            yield NotificationSpec("outbid", {_user_id(event.private["outbid"])})
        case AuctionEvent.Kind.CANCELLED:
            yield NotificationSpec("auction_cancelled", {event.product.seller_id} | bidders)
        case AuctionEvent.Kind.CLOSED:
            yield from _specs_for_close(event, bidders)
        case AuctionEvent.Kind.EDITED if "bidders" in event.private:
            yield NotificationSpec("description_added", set(map(_user_id, event.private["bidders"])))
        case AuctionEvent.Kind.BID_VOIDED:
            yield from _specs_for_void(event)
        case AuctionEvent.Kind.RESERVE_WAIVED:
            yield from _specs_for_sale(event, "below_reserve")
        case AuctionEvent.Kind.SECOND_CHANCE_OFFERED:
            yield _spec_for_offer(event)
        case AuctionEvent.Kind.SECOND_CHANCE_ACCEPTED:
            yield from _specs_for_sale(event, "second_chance")
        case AuctionEvent.Kind.SECOND_CHANCE_DECLINED | AuctionEvent.Kind.SECOND_CHANCE_LAPSED:
            variant = "declined" if event.kind == AuctionEvent.Kind.SECOND_CHANCE_DECLINED else ""
            yield NotificationSpec("second_chance_ended", {event.product.seller_id}, variant)


def moves_the_end(event: AuctionEvent) -> bool:
    """Return whether the seller or staff moved the auction's end. A soft close, which moves it by minutes, is not."""
    if event.kind == AuctionEvent.Kind.EXTENDED:
        return bool(event.data.get("by") == "staff")
    return event.kind == AuctionEvent.Kind.EDITED and "ends_at" in event.data


def _specs_for_close(event: AuctionEvent, bidders: set[int]) -> Iterator[NotificationSpec]:
    result = event.data["result"]
    if result == Auction.Result.SOLD:
        variant = "buy_now" if event.data.get("by") == "buy_now" else ""
        yield from _specs_for_sale(event, variant)
        yield NotificationSpec("auction_lost", bidders - {_user_id(event.private["winner"])}, variant)
    elif result in _UNSOLD_REASONS:
        context = {"reason": _UNSOLD_REASONS[result]}
        yield NotificationSpec("auction_unsold", {event.product.seller_id}, context=context)
        yield NotificationSpec("auction_lost", bidders)
    else:
        raise ValueError(f"an auction closed as {result!r}")


def _specs_for_sale(event: AuctionEvent, variant: str) -> Iterator[NotificationSpec]:
    yield NotificationSpec("auction_won", {_user_id(event.private["winner"])}, variant)
    yield NotificationSpec("auction_sold", {event.product.seller_id}, variant)


def _spec_for_offer(event: AuctionEvent) -> NotificationSpec:
    context = {
        "amount": event.private["amount"],
        "total": event.private["total"],
        "currency": event.product.currency,
        "expires_at": format_datetime(datetime.fromisoformat(event.private["expires_at"])),
    }
    return NotificationSpec("second_chance_offer", {_user_id(event.private["bidder"])}, context=context)


def _specs_for_void(event: AuctionEvent) -> Iterator[NotificationSpec]:
    """Notify everybody once: as the bidder, or else as the leader (whose price may change), or the former leader."""
    bidder, leader, former = (event.private[key] for key in ("bidder", "leader", "former_leader"))
    amount, price, currency = (event.data[key] for key in ("amount", "current_price", "currency"))
    # A raised maximum has no amount of its own.
    bid_amount = "bid" if amount is None else f"bid of {amount} {currency}"
    context = {
        "bid": f"a {bid_amount}",
        "bid_amount": bid_amount,
        "price_now": "There are no bids now." if price is None else f"The current price is {price} {currency}.",
        "reason": event.private["reason"],
    }
    yield NotificationSpec("bid_voided", {_user_id(bidder)}, "own_leads" if leader == bidder else "own", context)
    if leader not in {None, bidder}:
        yield NotificationSpec("bid_voided", {_user_id(leader)}, "leads", context)
    if former not in {None, bidder, leader}:
        yield NotificationSpec("bid_voided", {_user_id(former)}, "displaced", context)
    yield NotificationSpec("bid_voided", {event.product.seller_id}, context=context)


def _user_id(value: Any) -> int:
    if not isinstance(value, int):
        raise TypeError("expected a user id")
    return value
