"""Deciding every bid again: what the auctions stand at must be what their bids give (invariant 1).

The engine itself decides. On PostgreSQL it is asked only about what one statement of SQL could not prove
(replay_sql.py), and to say what is wrong there; elsewhere about every auction.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from heapq import merge
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from django.db import connection

from auctioncraft.core.errors import DomainError
from auctions.formats.base import NO_CAP, BidRequest, Outcome, State, Terms
from auctions.invariants import replay_sql
from auctions.models import Auction, Bid, BidVoid

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from decimal import Decimal

    from auctions.formats.base import Format

CHUNK: Final = 2000
_START, _END = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


class _Row(NamedTuple):
    """A row of the bids, as the replay reads it."""

    product: int
    version: int
    seq: int | None
    bidder: int
    displayed_amount: Decimal
    amount: Decimal | None
    max_amount: Decimal | None
    outcome: str
    placed_at: datetime


_FIELDS: Final = (
    *("product_id", "version", "seq", "bidder_id", "displayed_amount"),
    *("amount", "max_amount", "outcome", "placed_at"),
)


class _Void(NamedTuple):
    """A void, by the version that it made, and the version of the bid it is about."""

    version: int
    of: int


def replay() -> list[str]:
    """1: the bids, decided again in their order, and again without one when it is voided, give the auction.

    Its leader, maximum, price, count and last_bid_at; of its end, timeline.py tells.
    """
    voids = _voids()
    if connection.vendor != "postgresql":
        return [f"product {pk}{line}" for pk, line in _explain(voids)]
    suspects = replay_sql.suspects()
    asked = sorted(suspects | voids.keys())
    found = [pair for at in range(0, len(asked), CHUNK) for pair in _explain(voids, asked[at : at + CHUNK])]
    # Two tellings of the same rules; should they ever differ, one of them is wrong, and nobody knows which.
    found += [
        (pk, ": the engine finds nothing wrong, replay_sql.py does")
        for pk in sorted(suspects - voids.keys() - {pk for pk, _ in found})
    ]
    return [f"product {pk}{line}" for pk, line in found]


def _voids() -> dict[int, list[_Void]]:
    found: defaultdict[int, list[_Void]] = defaultdict(list)
    rows = BidVoid.objects.order_by("product_id", "version").values_list("product_id", "version", "bid__version")
    for product, version, of in rows:
        found[product].append(_Void(version, of))
    return found


def _explain(voids: dict[int, list[_Void]], only: Collection[int] | None = None) -> Iterator[tuple[int, str]]:
    """Yield (product, what is wrong) of all auctions, or of some: one pass over the bids beside one over them."""
    auctions, bids = Auction.objects.select_related("product").order_by("pk"), Bid.objects.all()
    if only is not None:
        auctions, bids = auctions.filter(pk__in=only), bids.filter(product__in=only)
    rows = map(_Row._make, bids.order_by("product_id", "version", "position").values_list(*_FIELDS).iterator(CHUNK))
    for auction, its in _side_by_side(auctions.iterator(CHUNK), rows):
        for line in _differences(auction, its, voids.get(auction.pk, [])):
            yield auction.pk, line


def _side_by_side(auctions: Iterable[Any], bids: Iterable[_Row]) -> Iterator[tuple[Any, Iterable[_Row]]]:
    """Yield every auction with its bids, which must be read before the next; both come in the products' order."""
    by_product = groupby(bids, key=attrgetter("product"))
    product, rows = next(by_product, (None, iter(())))
    for auction in auctions:
        while product is not None and product < auction.pk:
            product, rows = next(by_product, (None, iter(())))
        yield auction, rows if product == auction.pk else ()


def _differences(auction: Any, rows: Iterable[_Row], voids: list[_Void]) -> Iterator[str]:
    again = _Again(auction.product.rules, auction.product.terms())
    written = ((version, list(group)) for version, group in groupby(rows, key=attrgetter("version")))
    acts: Iterator[tuple[int, Any]] = merge(written, ((void.version, void) for void in voids), key=itemgetter(0))
    for version, act in acts:
        try:
            again.void(act) if isinstance(act, _Void) else again.bid(version, act)
        except _Broken as broken:
            yield f", version {version}: {broken}"
            return
    state = again.state
    for field, stands, ought in (
        ("leader", auction.leader_id, state.leader),
        ("leader_max", auction.leader_max, state.leader_max),
        ("price", auction.price, state.price),
        ("bid_count", auction.bid_count, state.bid_count),
        ("last_bid_at", auction.last_bid_at, state.last_bid_at),
    ):
        if stands != ought:
            yield f": {field} is {stands}, its bids give {ought}"


class _Broken(Exception):
    """Here the stored history stops being one; the message says how."""


class _Again:
    """One auction, bid for bid again."""

    def __init__(self, rules: Format, terms: Terms) -> None:
        self.rules = rules
        # Neither today's cap nor the time of day is what a bid is decided by again.
        self.terms = replace(terms, cap=NO_CAP, soft_close_window=0)
        self.state = State(_START, _END, _END)
        self.standing: dict[int, tuple[BidRequest, datetime]] = {}

    def bid(self, version: int, stored: list[_Row]) -> None:
        """Decide a bid, which must have written these rows."""
        sent = [row for row in stored if row.outcome != Outcome.AUTOMATIC]
        if len(sent) != 1:
            raise _Broken(f"{len(sent)} bids by people in one write")
        own = sent[0]
        offer = BidRequest(own.bidder, own.amount, own.max_amount)
        try:
            decision = self.rules.evaluate_bid(self.terms, self.state, offer, own.placed_at)
        except DomainError as refusal:
            raise _Broken(f"decided again it is refused ({refusal.code})") from refusal
        wrote = [(row.bidder, row.displayed_amount, row.outcome, row.seq is not None) for row in stored]
        if wrote != [(row.bidder, row.displayed_amount, row.outcome, decision.public) for row in decision.rows]:
            raise _Broken("decided again it writes other rows")
        self.state = decision.state
        self.standing[version] = offer, decision.placed_at

    def void(self, void: _Void) -> None:
        """Decide everything so far without the bid that it takes out."""
        if self.standing.pop(void.of, None) is None:
            raise _Broken("it voids no bid before it")
        self.state = self.rules.recompute(self.terms, self.state, self.standing.values())
