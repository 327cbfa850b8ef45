"""What every auction format shares: its inputs, its answers, and the protocol that a format's module follows.

A format is a module of pure functions on values: no database, no clock, no Django. Times are UTC, money is in the
product's currency.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from auctioncraft.core import money
from auctioncraft.core.errors import Invalid
from auctioncraft.core.pricing import check_chargeable
from auctions.errors import AuctionNotOpen, SellerCannotBid

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from auctioncraft.core.pricing import SaleTerms

    PlacedBids = Iterable[tuple["BidRequest", datetime]]

NO_CAP = Decimal(10) ** (money.MAX_DIGITS - money.DECIMAL_PLACES) - 1  # the most that a column holds
Increments = tuple[tuple[Decimal, Decimal], ...]


class Outcome(StrEnum):
    """What an accepted bid led to. `automatic` marks what a proxy bid."""

    LEADING = "leading"
    MAXIMUM_RAISED = "maximum_raised"
    OUTBID = "outbid"
    AUTOMATIC = "automatic"


@dataclass(frozen=True, slots=True)
class Terms:
    """What the product was listed under; fixed while it has bids. The soft close is in seconds.

    `increments` is the table [(from price, step), ...]; as stored in JSON, its numbers are text. With `chargeable`, a
    bid is refused whose total by these terms no card can be charged.
    """

    seller: int
    currency: str
    starting_bid: Decimal
    reserve_price: Decimal | None
    increments: Sequence[Sequence[Decimal | str]]
    soft_close_window: int = 0
    soft_close_extension: int = 0
    cap: Decimal | int = NO_CAP
    chargeable: SaleTerms | None = None

    def step(self, price: Decimal) -> Decimal:
        """Return the increment at a price. Only the step that is needed becomes a Decimal."""
        return next(Decimal(step) for start, step in reversed(self.increments) if Decimal(start) <= price)


@dataclass(frozen=True, slots=True)
class State:
    """An auction's state. Without a bid that the format shows, leader, leader_max and price are None.

    The public sees all of it but `leader_max`, so a format that hides bids keeps them out of the state until the close.
    """

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
    """A bid as sent: an open `amount`, a proxy's `max_amount`, or both."""

    bidder: int
    amount: Decimal | None = None
    max_amount: Decimal | None = None

    @property
    def limit(self) -> Decimal:
        """The most that the bidder may have to pay; 0 if neither amount is given."""
        return self.max_amount or self.amount or Decimal(0)


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """A row of the bid history: who, the amount shown, and what it led to."""

    bidder: int
    displayed_amount: Decimal
    outcome: StrEnum


@dataclass(frozen=True, slots=True)
class Decision:
    """An accepted bid: the new state and the history rows in order.

    `public` is whether others can notice it: only then do the rows enter the public history and the event log.
    """

    outcome: StrEnum
    state: State
    rows: tuple[HistoryEntry, ...]
    placed_at: datetime
    public: bool
    extended: bool
    outbid_user: int | None


class Format(Protocol):
    """The rules of one way to run an auction. `bids` come with the time each was placed, oldest first."""

    def evaluate_bid(self, terms: Terms, state: State, bid: BidRequest, now: datetime) -> Decision:
        """Accept a bid made at `now`, or raise a DomainError."""

    def recompute(self, terms: Terms, state: State, bids: PlacedBids) -> State:
        """Return the state that these bids alone would have led to: some were voided. The times stay."""

    def minimum_bid(self, terms: Terms, price: Decimal | None) -> Decimal:
        """Return the least that the next bidder must offer at a displayed price."""

    def buy_now_available(
        self, buy_now_price: Decimal | None, reserve_price: Decimal | None, price: Decimal | None
    ) -> bool:
        """Return whether an open auction at this displayed price can be ended by buying."""

    def close(self, terms: Terms, state: State, bids: PlacedBids) -> State:
        """Return the state in which an auction ends: its leader wins at its price if the reserve is met.

        `bids` are all that count, read from the database only if they are iterated.
        """


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


def reserve_met(reserve_price: Decimal | None, price: Decimal | None) -> bool:
    """Return whether the product would be sold at this price; never without a price."""
    return price is not None and (reserve_price is None or price >= reserve_price)


def check_can_bid(terms: Terms, state: State, bidder: int, now: datetime) -> None:
    """Check that `bidder` is not the seller and that the auction is open at `now`.

    Raises, in this order: SellerCannotBid, AuctionNotOpen.
    """
    if bidder == terms.seller:
        raise SellerCannotBid
    if not (state.open and state.starts_at <= now < state.ends_at):
        raise AuctionNotOpen


def check_amounts(terms: Terms, bid: BidRequest) -> tuple[Decimal | None, Decimal]:
    """Return a bid's `amount` and its limit with the currency's decimals. Raises Invalid."""
    given: dict[str, Decimal] = {}
    for field, value in (("amount", bid.amount), ("max_amount", bid.max_amount)):
        if value is not None:
            try:
                given[field] = money.check_precision(value, terms.currency, terms.cap)
            except money.InvalidAmount as error:
                raise Invalid(**{field: str(error)}) from error
    if not given:
        raise Invalid(amount="An amount, a max_amount or both are needed.")
    amount = given.get("amount")
    limit = given.get("max_amount", amount)
    if limit is None or (amount is not None and limit < amount):
        raise Invalid(max_amount="The maximum is below the amount.")
    if terms.chargeable is not None:
        check_chargeable(terms.chargeable, given, prices=given)
    return amount, limit
