"""Replays each auction by the rules of its format: bids, voids and moves of the end must lead to its state and end."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from heapq import merge
from itertools import groupby
from math import inf
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from django.db.models import Q
from django.db.models.fields.json import KT

from auctioncraft.core.errors import DomainError
from auctioncraft.core.invariants import invariant, reader_by_key
from auctions.formats import get_format
from auctions.formats.base import NO_CAP, BidRequest, Outcome, State
from auctions.models import Auction, AuctionEvent, Bid, BidVoid, Product, terms_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from auctioncraft.core.invariants import Batch

CHUNK: Final = 2000  # rows in memory
_TERMS: Final = (
    *("id", "format", "seller_id", "currency", "starting_bid", "reserve_price", "increments"),
    *("soft_close_window", "soft_close_extension", "auction__starts_at", "auction__hard_ends_at"),
)
_STATE: Final = ("leader_id", "leader_max", "price", "bid_count", "last_bid_at", "ends_at")
_VOID: Final = ("product_id", "version", "bid__version")
_MOVE: Final[tuple[Any, ...]] = (
    *("product_id", "seq", "kind", "created_at"),
    *map(KT, ("data__from", "data__ends_at", "data__by")),
)


class _BidRow(NamedTuple):
    """A stored row of the bid history."""

    product_id: int
    version: int
    seq: int | None
    bidder_id: int
    displayed_amount: Decimal
    amount: Decimal | None
    max_amount: Decimal | None
    outcome: str
    placed_at: datetime


class _Void(NamedTuple):
    """A void, by the version that it made, and the version of the voided bid."""

    product: int
    version: int
    bid_version: int


class _Move(NamedTuple):
    """An event that moved the end: by an edit, or by staff, if `by` is given, or a bid."""

    product: int
    seq: int
    kind: str
    made_at: datetime
    old: Any  # text as stored; a datetime once it was read
    new: Any
    by: str | None

    @property
    def is_soft_close(self) -> bool:
        """Whether a bid moved the end; edits and staff move the hard end too."""
        return self.kind == AuctionEvent.Kind.EXTENDED and not self.by


@invariant((1, 4, 7), "each auction's state and end follow from its bids", over=Product)
def check_replay(batch: Batch) -> Iterator[str]:
    """Replay bids, voids and moves of the end in their order; compare the state and the end that they lead to.

    Each bid must have been in time for the end as it was then and have moved it as the soft close says. Each other move
    is by staff or an edit and begins at the end before it.
    """
    auctions = (
        Product.objects.filter(batch.within("pk"), auction__isnull=False)
        .order_by("pk")
        .values(*_TERMS, *(f"auction__{field}" for field in (*_STATE, "result", "sale_type")))
    )
    bids = Bid.objects.filter(batch.within("product")).order_by("product_id", "version", "position")
    voids = BidVoid.objects.filter(batch.within("product")).order_by("product_id", "version")
    moved = Q(kind=AuctionEvent.Kind.EXTENDED) | Q(kind=AuctionEvent.Kind.EDITED, data__has_key="ends_at")
    moves = AuctionEvent.objects.filter(moved, batch.within("product")).order_by("product_id", "seq")
    bids_of = reader_by_key(map(_BidRow._make, bids.values_list(*_BidRow._fields).iterator(CHUNK)))
    voids_of = reader_by_key(map(_Void._make, voids.values_list(*_VOID).iterator(CHUNK)))
    moves_of = reader_by_key(map(_Move._make, moves.values_list(*_MOVE).iterator(CHUNK)))
    for auction in auctions.iterator(CHUNK):
        pk = auction["id"]
        try:
            yield from _differences(auction, bids_of(pk), voids_of(pk), moves_of(pk))
        except _HistoryError as error:
            yield f"product {pk}, {error}"


def _differences(
    auction: dict[str, Any], rows: Iterable[_BidRow], voids: Iterable[_Void], moves: Iterable[_Move]
) -> Iterator[str]:
    replayed = _Replay(auction, deque(map(_read_times, moves)))
    writes = ((version, list(group)) for version, group in groupby(rows, key=attrgetter("version")))
    steps: Iterator[tuple[int, Any]] = merge(writes, ((void.version, void) for void in voids), key=itemgetter(0))
    for version, step in steps:
        replayed.void(step) if isinstance(step, _Void) else replayed.bid(version, step)
    replayed.move_end(before=inf)
    if auction["auction__result"] not in {"", Auction.Result.CANCELLED} and (
        auction["auction__sale_type"] != Auction.SaleType.BUY_NOW
    ):
        replayed.close()
    state = replayed.state
    expected = (state.leader, state.leader_max, state.price, state.bid_count, state.last_bid_at, state.ends_at)
    for field, value in zip(_STATE, expected, strict=True):
        if auction[f"auction__{field}"] != value:
            name = field.removesuffix("_id")
            yield f"product {auction['id']}: {name} is {auction[f'auction__{field}']}, its bids give {value}"


def _read_times(move: _Move) -> _Move:
    with suppress(ValueError):
        old, new = (datetime.fromisoformat(text or "") for text in (move.old, move.new))
        if old.tzinfo and new.tzinfo:
            return move._replace(old=old, new=new)
    raise _HistoryError(f"event {move.seq}: it moves the end from {move.old} to {move.new}")


class _HistoryError(Exception):
    """From here on the stored history does not follow from itself; the message says how."""


class _Replay:
    """One auction, bid by bid, from the end that it had first."""

    def __init__(self, auction: dict[str, Any], moves: deque[_Move]) -> None:
        self.rules, terms = get_format(auction["format"]), terms_of(auction)
        increments = [(Decimal(start), Decimal(step)) for start, step in terms.increments]
        soft_close = {name: auction[name] for name in ("soft_close_window", "soft_close_extension")}
        # Today's cap says nothing about older bids.
        self.terms = replace(terms, cap=NO_CAP, increments=increments, **soft_close)
        self.moves = moves
        end = moves[0].old if moves else auction["auction__ends_at"]
        later = sum((move.new - move.old for move in moves if not move.is_soft_close), timedelta())
        self.state = State(auction["auction__starts_at"], end, auction["auction__hard_ends_at"] - later)
        self.seq_ahead = 0  # how far the log's seq is ahead of the version: only bids write two events, or none
        self.valid: dict[int, tuple[BidRequest, datetime]] = {}

    def bid(self, version: int, stored: list[_BidRow]) -> None:
        """Evaluate a bid, which must have written these rows and moved the end if it was late."""
        seq = version + self.seq_ahead
        self.move_end(before=seq)
        requests = [row for row in stored if row.outcome != Outcome.AUTOMATIC]
        if len(requests) != 1:
            raise _HistoryError(f"version {version}: {len(requests)} bids by people in one write")
        own, end = requests[0], self.state.ends_at
        request = BidRequest(own.bidder_id, own.amount, own.max_amount)
        try:
            decision = self.rules.evaluate_bid(self.terms, self.state, request, own.placed_at)
        except DomainError as refusal:
            raise _HistoryError(
                f"version {version}: evaluated again, at {own.placed_at} before {end}, it is refused ({refusal.code})"
            ) from refusal
        made = seq if decision.public else None, decision.placed_at
        wrote = [(row.bidder_id, row.displayed_amount, row.outcome, row.seq, row.placed_at) for row in stored]
        if wrote != [(row.bidder, row.displayed_amount, row.outcome, *made) for row in decision.rows]:
            raise _HistoryError(f"version {version}: evaluated again it writes other rows")
        self.state = decision.state
        self.valid[version] = request, decision.placed_at
        self.seq_ahead += decision.extended if decision.public else -1
        if decision.extended:
            extension = seq + 1, AuctionEvent.Kind.EXTENDED, own.placed_at, end, self.state.ends_at, None
            if not self.moves or self.moves.popleft() != (own.product_id, *extension):
                raise _HistoryError(f"version {version}: no event moves the end from {end} to {self.state.ends_at}")

    def move_end(self, *, before: float) -> None:
        """Move the end as staff and edits did in the events before this seq."""
        while self.moves and self.moves[0].seq < before:
            move, end = self.moves.popleft(), self.state.ends_at
            is_later = move.new > move.old or move.kind == AuctionEvent.Kind.EDITED
            if move.is_soft_close or move.old != end or move.new <= move.made_at or not is_later:
                raise _HistoryError(
                    f"event {move.seq}: made at {move.made_at}, it moves the end {end} from {move.old} to {move.new}"
                )
            hard_end = self.state.hard_ends_at + (move.new - move.old)
            self.state = replace(self.state, ends_at=move.new, hard_ends_at=hard_end)

    def void(self, void: _Void) -> None:
        """Recompute everything so far without the voided bid."""
        if self.valid.pop(void.bid_version, None) is None:
            raise _HistoryError(f"version {void.version}: it voids no bid before it")
        self.state = self.rules.recompute(self.terms, self.state, self.valid.values())

    def close(self) -> None:
        """End the auction."""
        self.state = self.rules.close(self.terms, self.state, self.valid.values())
