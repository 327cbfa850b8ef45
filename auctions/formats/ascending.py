"""The ascending auction with proxy bidding and a reserve, as docs/rules.md states it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from auctioncraft.core import money
from auctioncraft.core.errors import DomainError
from auctions.errors import BidTooLow, MaximumNotRaised
from auctions.formats.base import (
    NO_CAP,
    BidRequest,
    Decision,
    HistoryEntry,
    Outcome,
    State,
    Terms,
    check_amounts,
    check_can_bid,
)

if TYPE_CHECKING:
    from auctions.formats.base import PlacedBids


def minimum_bid(terms: Terms, price: Decimal | None) -> Decimal:
    """Return the starting bid, or one step above the price."""
    return terms.starting_bid if price is None else price + terms.step(price)


def buy_now_available(buy_now_price: Decimal | None, reserve_price: Decimal | None, price: Decimal | None) -> bool:
    """Return whether there is no bid yet, or the reserve is not met."""
    return buy_now_price is not None and (price is None or (reserve_price is not None and price < reserve_price))


def evaluate_bid(terms: Terms, state: State, bid: BidRequest, now: datetime) -> Decision:
    """Accept a bid made at `now`.

    Raises, in this order: Invalid, SellerCannotBid, AuctionNotOpen, MaximumNotRaised, BidTooLow.
    """
    amount, limit = check_amounts(terms, bid)
    # If the clock steps back, a later bid still is not placed before an earlier one.
    placed_at = max(now, state.last_bid_at) if state.last_bid_at else now
    check_can_bid(terms, state, bid.bidder, placed_at)
    minimum = minimum_bid(terms, state.price)
    if bid.bidder == state.leader:
        if state.leader_max is not None and limit <= state.leader_max:
            raise MaximumNotRaised
    elif min(amount or limit, limit) < minimum:
        raise BidTooLow(minimum_bid=money.to_text(minimum, terms.currency))
    return _accept(terms, state, BidRequest(bid.bidder, amount or minimum, limit), placed_at)


def recompute(terms: Terms, state: State, bids: PlacedBids) -> State:
    """Return `state` as these bids alone would have made it, from nothing, in their order.

    A bid that would be refused without the voided one has no effect. The auction's times stay.
    """
    # Neither the soft close nor the limits of amounts, which may have changed since, apply again.
    terms = replace(terms, soft_close_window=0, soft_close_extension=0, cap=NO_CAP, chargeable=None)
    start, end = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    found = State(starts_at=start, ends_at=end, hard_ends_at=end)
    for bid, placed_at in bids:
        with suppress(DomainError):
            found = evaluate_bid(terms, found, bid, placed_at).state
    return replace(
        state, leader=found.leader, leader_max=found.leader_max, price=found.price, bid_count=found.bid_count
    )


def close(terms: Terms, state: State, bids: PlacedBids) -> State:  # noqa: ARG001 (base.Format: other formats need them)
    """Return the state as it is: every bid already shows in it."""
    return state


def _accept(terms: Terms, state: State, bid: BidRequest, placed_at: datetime) -> Decision:
    """Apply a valid bid, both amounts given: `amount` is open, `max_amount` the maximum behind it."""
    bidder, amount, limit = bid.bidder, bid.amount or Decimal(0), bid.limit
    leader, leader_max, price = state.leader, state.leader_max, state.price
    proxy_entry: HistoryEntry | None = None
    if leader is None or leader_max is None or price is None:
        outcome, leader, leader_max, price = Outcome.LEADING, bidder, limit, amount
    elif bidder == leader:
        outcome, leader_max = Outcome.MAXIMUM_RAISED, limit
    elif limit <= leader_max:
        # The earlier maximum wins a tie.
        outcome, price = Outcome.OUTBID, min(leader_max, limit + terms.step(limit))
        proxy_entry = HistoryEntry(leader, price, Outcome.AUTOMATIC)
    else:
        if leader_max > price:
            proxy_entry = HistoryEntry(leader, leader_max, Outcome.AUTOMATIC)
        outcome, price = Outcome.LEADING, max(amount, min(limit, leader_max + terms.step(leader_max)))
        leader, leader_max = bidder, limit
    # Below the reserve the leader's whole maximum is shown; the first maximum to reach the reserve meets it exactly.
    if terms.reserve_price is not None and price < terms.reserve_price:
        price = min(leader_max, terms.reserve_price)

    own = HistoryEntry(bidder, limit if outcome is Outcome.OUTBID else price, outcome)
    if proxy_entry is None:
        rows: tuple[HistoryEntry, ...] = (own,)
    else:
        rows = (own, proxy_entry) if outcome is Outcome.OUTBID else (proxy_entry, own)
    public = (leader, price) != (state.leader, state.price)
    ends_at = _soft_close(terms, state, placed_at) if public else state.ends_at
    return Decision(
        outcome=outcome,
        state=replace(
            state,
            leader=leader,
            leader_max=leader_max,
            price=price,
            bid_count=state.bid_count + public,
            ends_at=ends_at,
            last_bid_at=placed_at,
        ),
        rows=rows,
        placed_at=placed_at,
        public=public,
        extended=ends_at > state.ends_at,
        outbid_user=state.leader if leader != state.leader else None,
    )


def _soft_close(terms: Terms, state: State, placed_at: datetime) -> datetime:
    """Return the end after a public bid: a late one moves it, never past the hard end."""
    if state.ends_at - placed_at >= timedelta(seconds=terms.soft_close_window):
        return state.ends_at
    extended = placed_at + timedelta(seconds=terms.soft_close_extension)
    return max(state.ends_at, min(extended, state.hard_ends_at))
