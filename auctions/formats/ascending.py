"""The rules of bidding, as docs/rules.md states them: pure functions on values, no database, no clock, no Django."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

from auctioncraft.core import money
from auctioncraft.core.errors import DomainError, Invalid
from auctions.errors import AuctionNotOpen, BidTooLow, MaximumNotRaised, SellerCannotBid

if TYPE_CHECKING:
    from collections.abc import Iterable

NO_CAP = Decimal(10) ** (money.MAX_DIGITS - money.DECIMAL_PLACES) - 1  # all that a column holds
Increments = tuple[tuple[Decimal, Decimal], ...]


def _table(steps: str) -> Increments:
    return tuple((Decimal(start), Decimal(step)) for start, step in (pair.split(":") for pair in steps.split()))


# From this price on, this step. eBay's published increments, https://www.ebay.com/help/buying/bidding/automatic-bidding
_USD = _table("0:0.05 1:0.25 5:0.50 25:1 100:2.50 250:5 500:10 1000:25 2500:50 5000:100")
_GBP = _table("0:0.05 1:0.20 5:0.50 15:1 60:2 150:5 300:10 600:20 1500:50 3000:100")
_WITHOUT_DECIMALS = tuple((start * 100, max(step * 100, Decimal(1))) for start, step in _USD)


def increments_for(currency: str) -> Increments:
    """Return the increment table of a currency, for products whose seller gives no flat one."""
    if currency == "GBP":
        return _GBP
    return _WITHOUT_DECIMALS if money.decimals(currency) == 0 else _USD


class Outcome(StrEnum):
    """What an accepted bid came to; `automatic` marks the rows that a proxy makes."""

    LEADING = "leading"
    MAXIMUM_RAISED = "maximum_raised"
    OUTBID = "outbid"
    AUTOMATIC = "automatic"


@dataclass(frozen=True, slots=True)
class Terms:
    """What the product was listed under; never changes while bids stand. Money in `currency`, the window in seconds."""

    seller: int
    currency: str
    starting_bid: Decimal
    reserve_price: Decimal | None
    increments: Increments
    soft_close_window: int = 0
    soft_close_extension: int = 0
    cap: Decimal | int = NO_CAP

    def step(self, price: Decimal) -> Decimal:
        """Return the increment at a price."""
        return next(step for start, step in reversed(self.increments) if start <= price)


@dataclass(frozen=True, slots=True)
class State:
    """How the auction stands. Times are UTC; before the first bid leader, maximum, price and last_bid_at are None."""

    starts_at: datetime
    ends_at: datetime
    hard_ends_at: datetime
    open: bool = True
    leader: int | None = None
    leader_max: Decimal | None = None
    price: Decimal | None = None
    bid_count: int = 0
    last_bid_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class BidRequest:
    """A bid: `amount` is said aloud, `max_amount` is a proxy's; either or both."""

    bidder: int
    amount: Decimal | None = None
    max_amount: Decimal | None = None

    @property
    def limit(self) -> Decimal:
        """What it may come to at most; nothing if it is no bid at all."""
        return self.max_amount or self.amount or Decimal(0)


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """A row of the bid history: who, the price they stood at, and how it came about."""

    bidder: int
    displayed_amount: Decimal
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Decision:
    """An accepted bid: the new state, the history rows in order, and what of it the public may notice."""

    outcome: Outcome
    state: State
    rows: tuple[HistoryEntry, ...]
    placed_at: datetime
    public: bool
    extended: bool
    outbid_user: int | None


def minimum_bid(terms: Terms, price: Decimal | None) -> Decimal:
    """Return the least that the next bidder must offer."""
    return terms.starting_bid if price is None else price + terms.step(price)


def reserve_met(reserve_price: Decimal | None, price: Decimal | None) -> bool:
    """Return whether the product would be sold at this price; before the first bid, never."""
    return price is not None and (reserve_price is None or price >= reserve_price)


def buy_now_available(buy_now: Decimal | None, reserve_price: Decimal | None, price: Decimal | None) -> bool:
    """Return whether an open auction at this price can be ended by buying: no bid yet, or its reserve is not met."""
    return buy_now is not None and (price is None or (reserve_price is not None and price < reserve_price))


def evaluate_bid(terms: Terms, state: State, offer: BidRequest, now: datetime) -> Decision:
    """Decide a bid made at `now`, UTC.

    Raises, in this order: Invalid, SellerCannotBid, AuctionNotOpen, MaximumNotRaised, BidTooLow.
    """
    amount, most = _check_shape(terms, offer)
    if offer.bidder == terms.seller:
        raise SellerCannotBid
    # A clock that steps back never makes a later bid look earlier.
    placed_at = max(now, state.last_bid_at) if state.last_bid_at else now
    if not (state.open and state.starts_at <= placed_at < state.ends_at):
        raise AuctionNotOpen
    minimum = minimum_bid(terms, state.price)
    if offer.bidder == state.leader:
        if state.leader_max is not None and most <= state.leader_max:
            raise MaximumNotRaised
    elif min(amount or most, most) < minimum:
        raise BidTooLow(minimum_bid=money.to_text(minimum, terms.currency))
    return _accept(terms, state, offer.bidder, amount or minimum, most, placed_at)


def recompute_without(terms: Terms, state: State, offers: Iterable[tuple[BidRequest, datetime]]) -> State:
    """Return `state` as these offers alone would have made it, decided in their order from nothing.

    For when a bid was voided (docs/rules.md, Voiding a bid). Each comes with the moment it was placed at, UTC. One that
    would be refused without the voided bid has no effect; the auction's times stay as they are.
    """
    # The cap too was looked at when they were placed, and may be another by now.
    calm = replace(terms, soft_close_window=0, soft_close_extension=0, cap=NO_CAP)
    start, end = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    found = State(starts_at=start, ends_at=end, hard_ends_at=end)
    for offer, placed_at in offers:
        with suppress(DomainError):
            found = evaluate_bid(calm, found, offer, placed_at).state
    return replace(
        state, leader=found.leader, leader_max=found.leader_max, price=found.price, bid_count=found.bid_count
    )


def _check_shape(terms: Terms, offer: BidRequest) -> tuple[Decimal | None, Decimal]:
    """Return `amount` and the most the bidder would pay, both in the currency's decimals."""
    given: dict[str, Decimal] = {}
    for field, value in (("amount", offer.amount), ("max_amount", offer.max_amount)):
        if value is not None:
            try:
                given[field] = money.check_precision(value, terms.currency, terms.cap)
            except money.InvalidAmount as error:
                raise Invalid(**{field: str(error)}) from error
    if not given:
        raise Invalid(amount="An amount, a max_amount or both are needed.")
    amount = given.get("amount")
    most = given.get("max_amount", amount)
    if most is None or (amount is not None and most < amount):
        raise Invalid(max_amount="The maximum is below the amount.")
    return amount, most


def _accept(  # noqa: PLR0917 (terms, state and the offer, as decide has them)
    terms: Terms, state: State, bidder: int, amount: Decimal, most: Decimal, placed_at: datetime
) -> Decision:
    """Apply an offer that is good: `amount` is said aloud, `most` is the maximum behind it."""
    leader, maximum, price = state.leader, state.leader_max, state.price
    automatic: HistoryEntry | None = None
    if leader is None or maximum is None or price is None:
        outcome, leader, maximum, price = Outcome.LEADING, bidder, most, amount
    elif bidder == leader:
        outcome, maximum = Outcome.MAXIMUM_RAISED, most
    elif most <= maximum:
        # The earlier maximum wins a tie.
        outcome, price = Outcome.OUTBID, min(maximum, most + terms.step(most))
        automatic = HistoryEntry(leader, price, Outcome.AUTOMATIC)
    else:
        if maximum > price:
            automatic = HistoryEntry(leader, maximum, Outcome.AUTOMATIC)
        outcome, price = Outcome.LEADING, max(amount, min(most, maximum + terms.step(maximum)))
        leader, maximum = bidder, most
    # Below the reserve the product shows the leader's whole maximum; the first to reach the reserve meets it exactly.
    if terms.reserve_price is not None and price < terms.reserve_price:
        price = min(maximum, terms.reserve_price)

    own = HistoryEntry(bidder, most if outcome is Outcome.OUTBID else price, outcome)
    rows = (own,) if automatic is None else (own, automatic) if outcome is Outcome.OUTBID else (automatic, own)
    public = (leader, price) != (state.leader, state.price)
    ends_at = _soft_close(terms, state, placed_at) if public else state.ends_at
    return Decision(
        outcome=outcome,
        state=replace(
            state,
            leader=leader,
            leader_max=maximum,
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
    """Return the end after a bid that changed something: a late one moves it on, never past the hard end."""
    if state.ends_at - placed_at >= timedelta(seconds=terms.soft_close_window):
        return state.ends_at
    extended = placed_at + timedelta(seconds=terms.soft_close_extension)
    return min(max(state.ends_at, extended), state.hard_ends_at)
