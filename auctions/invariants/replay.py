"""Replays the bids of each auction through the rules of its format: they must lead to the auction's state."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from heapq import merge
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from auctioncraft.core.errors import DomainError
from auctioncraft.core.invariants import invariant
from auctions.formats import get_format
from auctions.formats.base import NO_CAP, BidRequest, Outcome, State, Terms
from auctions.models import Auction, Bid, BidVoid, Product, terms_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from auctioncraft.core.invariants import Batch
    from auctions.formats.base import Format

CHUNK: Final = 2000  # rows in memory
_START, _END = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_TERMS: Final = ("id", "format", "seller_id", "currency", "starting_bid", "reserve_price", "increments")
_STATE: Final = ("leader_id", "leader_max", "price", "bid_count", "last_bid_at")
_BID: Final = (
    *("product_id", "version", "seq", "bidder_id", "displayed_amount"),
    *("amount", "max_amount", "outcome", "placed_at"),
)


class _BidRow(NamedTuple):
    """A stored row of the bid history."""

    product: int
    version: int
    seq: int | None
    bidder: int
    displayed_amount: Decimal
    amount: Decimal | None
    max_amount: Decimal | None
    outcome: str
    placed_at: datetime


class _Void(NamedTuple):
    """A void, by the version that it made, and the version of the voided bid."""

    version: int
    bid_version: int


@invariant(1, "each auction's state follows from its bids", over=Product)
def check_replay(batch: Batch) -> Iterator[str]:
    """Replay bids and voids in their order; compare leader, maximum, price, count and time of the last bid."""
    voids: defaultdict[int, list[_Void]] = defaultdict(list)
    rows = BidVoid.objects.filter(batch.within("product")).order_by("product_id", "version")
    for product, version, bid_version in rows.values_list("product_id", "version", "bid__version"):
        voids[product].append(_Void(version, bid_version))
    auctions = (
        Product.objects.filter(batch.within("pk"), auction__isnull=False)
        .order_by("pk")
        .values(*_TERMS, *(f"auction__{field}" for field in (*_STATE, "result", "sale_type")))
    )
    bids = Bid.objects.filter(batch.within("product")).order_by("product_id", "version", "position")
    stored = map(_BidRow._make, bids.values_list(*_BID).iterator(CHUNK))
    for auction, its_bids in _with_bids(auctions.iterator(CHUNK), stored):
        for difference in _differences(auction, its_bids, voids.get(auction["id"], [])):
            yield f"product {auction['id']}{difference}"


def _with_bids(auctions: Iterable[Any], bids: Iterable[_BidRow]) -> Iterator[tuple[Any, Iterable[_BidRow]]]:
    """Yield every auction with its bids, to be read before the next one. Both come in the order of the products."""
    by_product = groupby(bids, key=attrgetter("product"))
    product, rows = next(by_product, (None, iter(())))
    for auction in auctions:
        while product is not None and product < auction["id"]:
            product, rows = next(by_product, (None, iter(())))
        yield auction, rows if product == auction["id"] else ()


def _differences(auction: dict[str, Any], rows: Iterable[_BidRow], voids: list[_Void]) -> Iterator[str]:
    replayed = _Replay(get_format(auction["format"]), terms_of(auction))
    writes = ((version, list(group)) for version, group in groupby(rows, key=attrgetter("version")))
    steps: Iterator[tuple[int, Any]] = merge(writes, ((void.version, void) for void in voids), key=itemgetter(0))
    for version, step in steps:
        try:
            replayed.void(step) if isinstance(step, _Void) else replayed.bid(version, step)
        except _HistoryError as error:
            yield f", version {version}: {error}"
            return
    if auction["auction__result"] not in {"", Auction.Result.CANCELLED} and (
        auction["auction__sale_type"] != Auction.SaleType.BUY_NOW
    ):
        replayed.close()
    state = replayed.state
    expected = (state.leader, state.leader_max, state.price, state.bid_count, state.last_bid_at)
    for field, value in zip(_STATE, expected, strict=True):
        if auction[f"auction__{field}"] != value:
            name = field.removesuffix("_id")
            yield f": {name} is {auction[f'auction__{field}']}, its bids give {value}"


class _HistoryError(Exception):
    """From here on the stored history does not follow from itself; the message says how."""


class _Replay:
    """One auction, bid by bid."""

    def __init__(self, rules: Format, terms: Terms) -> None:
        self.rules = rules
        # Today's cap says nothing about older bids, and end_times checks the times.
        increments = [(Decimal(start), Decimal(step)) for start, step in terms.increments]
        self.terms = replace(terms, cap=NO_CAP, increments=increments)
        self.state = State(_START, _END, _END)
        self.valid: dict[int, tuple[BidRequest, datetime]] = {}

    def bid(self, version: int, stored: list[_BidRow]) -> None:
        """Evaluate a bid, which must have written these rows."""
        requests = [row for row in stored if row.outcome != Outcome.AUTOMATIC]
        if len(requests) != 1:
            raise _HistoryError(f"{len(requests)} bids by people in one write")
        own = requests[0]
        request = BidRequest(own.bidder, own.amount, own.max_amount)
        try:
            decision = self.rules.evaluate_bid(self.terms, self.state, request, own.placed_at)
        except DomainError as refusal:
            raise _HistoryError(f"evaluated again it is refused ({refusal.code})") from refusal
        wrote = [(row.bidder, row.displayed_amount, row.outcome, row.seq is not None) for row in stored]
        if wrote != [(row.bidder, row.displayed_amount, row.outcome, decision.public) for row in decision.rows]:
            raise _HistoryError("evaluated again it writes other rows")
        self.state = decision.state
        self.valid[version] = request, decision.placed_at

    def void(self, void: _Void) -> None:
        """Recompute everything so far without the voided bid."""
        if self.valid.pop(void.bid_version, None) is None:
            raise _HistoryError("it voids no bid before it")
        self.state = self.rules.recompute(self.terms, self.state, self.valid.values())

    def close(self) -> None:
        """End the auction."""
        self.state = self.rules.close(self.terms, self.state, self.valid.values())
