"""The end of an auction as it stood at each moment: every move of it is on record, every bid was in time (4 and 7).

An end moves by a soft close, by staff, and by an edit while nobody has bid. In between it stands still, so only where
it moved, or a bid was late for the one end there is, can anything be wrong: those auctions are walked through.
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

from auctions.models import AuctionEvent, Bid

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK: Final = 2000
_BOUNDS: Final = (
    *("product__auction__starts_at", "product__auction__ends_at", "product__auction__hard_ends_at"),
    *("product__soft_close_window", "product__soft_close_extension"),
)


class _Bounds(NamedTuple):
    """What an auction's row and its product say; the soft close in seconds."""

    starts_at: datetime
    ends_at: datetime
    hard_ends_at: datetime
    window: int
    extension: int


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
    """A bid that somebody made; without `seq` it was a raised maximum that nobody saw."""

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


def ends_add_up() -> list[str]:
    """4, 7: each move of an end begins at the end before it, is due, and the last one gives the auction's end.

    No bid came before the start, or at or after the end as it stood; each that was late enough moved it, no other did.
    """
    lines: list[str] = []
    both: Iterator[_Move | _Bid] = merge(_moves(lines), _late_bids(), key=attrgetter("product"))
    for product, rows in groupby(both, attrgetter("product")):
        its = list(rows)
        moves, bids = [row for row in its if isinstance(row, _Move)], [row for row in its if isinstance(row, _Bid)]
        lines += [f"product {product}: {line}" for line in _walk(its[0].bounds, deque(moves), bids)]
    return lines


def _moves(lines: list[str]) -> Iterator[_Move]:
    """Yield the moves; of those that are none, say so in `lines`: a check must not fail on what it finds."""
    told = (KT("data__from"), KT("data__ends_at"), KT("data__by"))
    rows = (
        _movers().order_by("product_id", "seq").values_list(*_BOUNDS, "product_id", "seq", "kind", "created_at", *told)
    )
    for *bounds, product, seq, kind, made_at, old, new, by in rows.iterator(CHUNK):
        before, after = moment(old), moment(new)
        if before is None or after is None:
            lines.append(f"product {product}: event {seq} moves the end from {old} to {new}")
        else:
            mover = "edit" if kind == AuctionEvent.Kind.EDITED else by or "bid"
            yield _Move(product, _Bounds(*bounds), seq, made_at, before, after, mover)


def _late_bids() -> Iterator[_Bid]:
    """Yield the bids, by people, that may have been too early, too late or late enough to move the end."""
    window = _Seconds(F("product__soft_close_window"))
    late = Q(placed_at__gt=F("product__auction__ends_at") - window) | Q(product__in=_movers().values("product_id"))
    rows = (
        Bid.objects.made_by_people()
        .filter(late | Q(placed_at__lt=F("product__auction__starts_at")), product__auction__isnull=False)
        .order_by("product_id", "version")
        .values_list(*_BOUNDS, "product_id", "seq", "version", "placed_at")
    )
    for *bounds, product, seq, version, placed_at in rows.iterator(CHUNK):
        yield _Bid(product, _Bounds(*bounds), seq, version, placed_at)


def _movers() -> Any:
    edited = Q(kind=AuctionEvent.Kind.EDITED, data__has_key="ends_at")
    return AuctionEvent.objects.order_by().filter(
        Q(kind=AuctionEvent.Kind.EXTENDED) | edited, product__auction__isnull=False
    )


def _walk(bounds: _Bounds, waiting: deque[_Move], bids: list[_Bid]) -> Iterator[str]:
    """Yield what is wrong with the moves of an auction and its bids, both in their order."""
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
        new = _soft_close(bounds, bid, end, hard_end)
        if new > end:
            owed = _Move(bid.product, bounds, (bid.seq or 0) + 1, bid.placed_at, end, new, by="bid")
            if not waiting or waiting[0] != owed:
                yield f"the bid of version {bid.version} should have moved the end from {end} to {new}"
    if end != bounds.ends_at:
        yield f"ends_at is {bounds.ends_at}, by what moved it {end}"


def _is_before(move: _Move, bid: _Bid, owed: _Move | None) -> bool:
    if bid.seq is not None:
        return move.seq < bid.seq
    # What nobody saw has no place in the log: of when it was only its moment tells. A bid of the same moment may have
    # moved the end after it; one before it has owed its move.
    return move == owed or (move.by != "bid" and move.made_at <= bid.placed_at)


def _wrong(move: _Move, end: datetime) -> Iterator[str]:
    """Yield what is wrong with a move that no bid made."""
    if move.by == "bid":
        yield f"event {move.seq} moves the end, and no bid did"
    if move.old != end:
        yield f"event {move.seq} moves the end from {move.old}, it was {end}"
    if move.new <= move.made_at or (move.by != "edit" and move.new <= move.old):
        yield f"event {move.seq}, made at {move.made_at}, moves the end from {move.old} to {move.new}"


def _soft_close(bounds: _Bounds, bid: _Bid, end: datetime, hard_end: datetime) -> datetime:
    """Return the end after a bid (docs/rules.md, Soft close); only what everybody saw moves it."""
    if bid.seq is None or end - bid.placed_at >= timedelta(seconds=bounds.window):
        return end
    return max(end, min(bid.placed_at + timedelta(seconds=bounds.extension), hard_end))


def moment(text: str | None) -> datetime | None:
    """Read a moment from an event; None if it is none: a check must not fail on what it finds."""
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found if found.tzinfo else None
