"""The end of an auction over time: every move of it is in the event log, every bid was in time (invariants 4 and 7).

A soft close, staff, and an edit while there is no bid move an end. Only where an end moved, or a bid was late for the
one end there is, can anything be wrong: only those auctions are followed through.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from heapq import merge
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from django.db.models import DurationField, F, Func, Q
from django.db.models.fields.json import KT

from auctioncraft.core.invariants import invariant
from auctions.formats import get_format
from auctions.models import AuctionEvent, Bid, Product

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from auctioncraft.core.invariants import Batch

CHUNK: Final = 2000
_BOUNDS: Final = (
    *("product__auction__starts_at", "product__auction__ends_at", "product__auction__hard_ends_at"),
    *("product__format", "product__soft_close_window", "product__soft_close_extension"),
)


class _Bounds(NamedTuple):
    """The times and the soft close, in seconds, of an auction as they are now."""

    starts_at: datetime
    ends_at: datetime
    hard_ends_at: datetime
    format: str
    soft_close_window: int
    soft_close_extension: int


class _Move(NamedTuple):
    """An event that moved the end, `by` a bid (a soft close), staff or an edit; those two move the hard end too."""

    product: int
    bounds: _Bounds
    seq: int
    made_at: datetime
    old: datetime
    new: datetime
    by: str


class _Bid(NamedTuple):
    """A bid by a person; without `seq` it was not public, like a raised maximum."""

    product: int
    bounds: _Bounds
    seq: int | None
    version: int
    placed_at: datetime


class _Seconds(Func):
    """A number of seconds as a duration."""

    template = "make_interval(secs => %(expressions)s)"
    output_field = DurationField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Durations are microseconds there."""
        return self.as_sql(compiler, connection, template="(%(expressions)s * 1000000)", **context)


@invariant((4, 7), "end times move by the rules and every bid was in time", over=Product)
def check_end_times(batch: Batch) -> Iterable[str]:
    """Check that each move begins at the end before it and has a reason, and that the last one gives the auction's end.

    No bid came before the start, or at or after the end at that time; each that was late enough moved it, no other did.
    """
    unreadable: list[str] = []
    rows: Iterator[_Move | _Bid] = merge(_moves(batch, unreadable), _late_bids(batch), key=attrgetter("product"))
    for product, group in groupby(rows, attrgetter("product")):
        its = list(group)
        moves, bids = [row for row in its if isinstance(row, _Move)], [row for row in its if isinstance(row, _Bid)]
        yield from (f"product {product}: {line}" for line in _follow(its[0].bounds, deque(moves), bids))
    yield from unreadable


def _moves(batch: Batch, unreadable: list[str]) -> Iterator[_Move]:
    """Yield the moves; add a line to `unreadable` for an event without two times."""
    details = (KT("data__from"), KT("data__ends_at"), KT("data__by"))
    rows = (
        _end_events(batch)
        .order_by("product_id", "seq")
        .values_list(*_BOUNDS, "product_id", "seq", "kind", "created_at", *details)
    )
    for *bounds, product, seq, kind, made_at, old, new, by in rows.iterator(CHUNK):
        before, after = parse_time(old), parse_time(new)
        if before is None or after is None:
            unreadable.append(f"product {product}: event {seq} moves the end from {old} to {new}")
        else:
            mover = "edit" if kind == AuctionEvent.Kind.EDITED else by or "bid"
            yield _Move(product, _Bounds(*bounds), seq, made_at, before, after, mover)


def _late_bids(batch: Batch) -> Iterator[_Bid]:
    """Yield the bids by people that may have been too early, too late, or late enough to move the end."""
    window = _Seconds(F("product__soft_close_window"))
    late = Q(placed_at__gt=F("product__auction__ends_at") - window) | Q(
        product__in=_end_events(batch).values("product_id")
    )
    rows = (
        Bid.objects.made_by_people()
        .filter(
            late | Q(placed_at__lt=F("product__auction__starts_at")),
            batch.within("product"),
            product__auction__isnull=False,
        )
        .order_by("product_id", "version")
        .values_list(*_BOUNDS, "product_id", "seq", "version", "placed_at")
    )
    for *bounds, product, seq, version, placed_at in rows.iterator(CHUNK):
        yield _Bid(product, _Bounds(*bounds), seq, version, placed_at)


def _end_events(batch: Batch) -> Any:
    edited = Q(kind=AuctionEvent.Kind.EDITED, data__has_key="ends_at")
    return AuctionEvent.objects.order_by().filter(
        Q(kind=AuctionEvent.Kind.EXTENDED) | edited, batch.within("product"), product__auction__isnull=False
    )


def _follow(bounds: _Bounds, waiting: deque[_Move], bids: list[_Bid]) -> Iterator[str]:
    """Yield what is wrong with the moves of an auction and its bids, both in their order."""
    rules, soft_close = get_format(bounds.format), (bounds.soft_close_window, bounds.soft_close_extension)
    end = waiting[0].old if waiting else bounds.ends_at
    hard_end = bounds.hard_ends_at - sum((move.new - move.old for move in waiting if move.by != "bid"), timedelta())
    owed: _Move | None = None
    for bid in [*bids, None]:
        while waiting and (bid is None or _is_before(waiting[0], bid, owed)):
            move = waiting.popleft()
            if move != owed:
                yield from _wrong(move, end)
            end = move.new
            hard_end += timedelta() if move.by == "bid" else move.new - move.old
        if bid is None:
            break
        if not bounds.starts_at <= bid.placed_at < end:
            yield f"the bid of version {bid.version} came at {bid.placed_at}, not from {bounds.starts_at} to {end}"
        # Only what the public saw moves the end.
        new = end if bid.seq is None else rules.soft_close(*soft_close, end, hard_end, bid.placed_at)
        if new > end:
            owed = _Move(bid.product, bounds, (bid.seq or 0) + 1, bid.placed_at, end, new, by="bid")
            if not waiting or waiting[0] != owed:
                yield f"the bid of version {bid.version} should have moved the end from {end} to {new}"
    if end != bounds.ends_at:
        yield f"ends_at is {bounds.ends_at}, by what moved it {end}"


def _is_before(move: _Move, bid: _Bid, owed: _Move | None) -> bool:
    if bid.seq is not None:
        return move.seq < bid.seq
    # A raised maximum is not in the log, only its time is known. A bid of the same time may have moved the end after
    # it; one before it owed its move.
    return move == owed or (move.by != "bid" and move.made_at <= bid.placed_at)


def _wrong(move: _Move, end: datetime) -> Iterator[str]:
    """Yield what is wrong with a move that no bid made."""
    if move.by == "bid":
        yield f"event {move.seq} moves the end, and no bid did"
    if move.old != end:
        yield f"event {move.seq} moves the end from {move.old}, it was {end}"
    if move.new <= move.made_at or (move.by != "edit" and move.new <= move.old):
        yield f"event {move.seq}, made at {move.made_at}, moves the end from {move.old} to {move.new}"


def parse_time(text: str | None) -> datetime | None:
    """Return the time in an event, or None if it is not one."""
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found if found.tzinfo else None
