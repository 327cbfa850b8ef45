"""Deciding every bid again: what the auctions stand at must be what their bids give (invariant 1)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from django.db.models import OuterRef, Subquery
from django.db.models.fields.json import KT

from auctioncraft import money
from auctioncraft.errors import DomainError
from auctions import pricing
from auctions.models import Auction, AuctionEvent, Bid

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CHUNK: Final = 2000
# All that a column holds: bids are held against today's cap by amounts_fit, replaying must not depend on it.
_MOST: Final = 10 ** (money.MAX_DIGITS - money.DECIMAL_PLACES) - 1


def replay() -> list[str]:
    """1: the bids, decided again in their order, give the auction: its price, leader, maximum, count and end."""
    first_move = AuctionEvent.objects.filter(product_id=OuterRef("pk"), kind=AuctionEvent.Kind.EXTENDED).order_by("seq")
    auctions = (
        Auction.objects.select_related("product")
        .annotate(first_end=Subquery(first_move.values(text=KT("data__from"))[:1]))
        .order_by("pk")
    )
    bids = (
        Bid.objects.order_by("product_id", "version", "position")
        .only("product_id", "version", "seq", "bidder_id", "price", "amount", "max_amount", "outcome", "placed_at")
        .iterator(CHUNK)
    )
    return [
        f"product {auction.pk}{difference}"
        for auction, rows in _side_by_side(auctions.iterator(CHUNK), bids)
        for difference in _differences(auction, rows)
    ]


def _side_by_side(auctions: Iterable[Any], bids: Iterable[Bid]) -> Iterator[tuple[Any, Iterable[Bid]]]:
    """Yield every auction with its bids, which must be read before the next; both come in the products' order."""
    by_product = groupby(bids, key=attrgetter("product_id"))
    product_id, rows = next(by_product, (None, iter(())))
    for auction in auctions:
        while product_id is not None and product_id < auction.pk:
            product_id, rows = next(by_product, (None, iter(())))
        yield auction, rows if product_id == auction.pk else ()


def _differences(auction: Any, rows: Iterable[Bid]) -> Iterator[str]:
    terms = replace(auction.product.terms(), cap=_MOST)
    ends_at = moment(auction.first_end) or auction.ends_at
    state = pricing.State(auction.starts_at, ends_at, max(ends_at, auction.hard_ends_at))
    for version, written in groupby(rows, key=attrgetter("version")):
        stored = list(written)
        sent = [row for row in stored if not row.automatic]
        if len(sent) != 1:
            yield f", version {version}: {len(sent)} bids by people in one write"
            return
        own = sent[0]
        offer = pricing.Offer(own.bidder_id, own.amount, own.max_amount)
        try:
            decision = pricing.decide(terms, state, offer, own.placed_at)
        except DomainError as refusal:
            yield f", version {version}: decided again it is refused ({refusal.code})"
            return
        wrote = [(row.bidder_id, row.price, row.outcome, row.seq is not None) for row in stored]
        if wrote != [(row.bidder, row.price, row.outcome, decision.public) for row in decision.rows]:
            yield f", version {version}: decided again it writes other rows"
            return
        state = decision.state
    for field, stands, ought in (
        ("leader", auction.leader_id, state.leader),
        ("maximum", auction.maximum, state.maximum),
        ("price", auction.price, state.price),
        ("bid_count", auction.bid_count, state.bid_count),
        ("last_bid_at", auction.last_bid_at, state.last_bid_at),
        ("ends_at", auction.ends_at, state.ends_at),
    ):
        if stands != ought:
            yield f": {field} is {stands}, its bids give {ought}"


def moment(text: str | None) -> datetime | None:
    """Read a moment from an event; None if it is none: a check must not fail on what it finds."""
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found if found.tzinfo else None
