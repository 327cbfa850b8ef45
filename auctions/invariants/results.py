"""How auctions end: one result that matches the auction, and nothing after it (invariants 7, 8 and 9)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db.models import Count, Exists, F, Max, OuterRef, Q, TextField
from django.db.models.fields.json import KT
from django.db.models.functions import Cast

from auctioncraft.core import clock
from auctioncraft.core.invariants import describe, invariant
from auctions.models import Auction, AuctionEvent, Bid, Product, SecondChanceOffer
from auctions.services.closing import ACCEPT_BELOW_RESERVE_WINDOW

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.db.models import QuerySet

    from auctioncraft.core.invariants import Batch

OVERDUE: Final = timedelta(seconds=60)
Kind = AuctionEvent.Kind
_CLOSING: Final = (Kind.CLOSED, Kind.CANCELLED)
_BEFORE_CLOSE: Final = (Kind.BID_PLACED, Kind.EXTENDED, Kind.BID_VOIDED, Kind.EDITED)
_AFTER_CLOSE: Final = (
    *(Kind.RESERVE_WAIVED, Kind.SALE_FELL_THROUGH, Kind.SECOND_CHANCE_OFFERED, Kind.SECOND_CHANCE_ACCEPTED),
    *(Kind.SECOND_CHANCE_DECLINED, Kind.SECOND_CHANCE_LAPSED, Kind.RELISTED),
)
# What may change once there is a bid (docs/rules.md, Listing and editing).
_EDITABLE_WITH_BIDS: Final = {"description", "images"}


@invariant(8, "results match the state of the auction", over=Product)
def check_results(batch: Batch) -> Iterable[str]:
    """Compare status, result and sale type with each other and with leader, price and reserve."""
    led = Q(leader__isnull=False)
    short = Q(product__reserve_price__isnull=False, price__lt=F("product__reserve_price"))
    to_leader = Q(winner=F("leader"), hammer_price=F("price"))
    accepted = SecondChanceOffer.objects.filter(
        product=OuterRef("pk"), bidder=OuterRef("winner"), amount=OuterRef("hammer_price"), status="accepted"
    )
    sold = Q(status="sold", result="sold") & (
        Q(to_leader & ~short, sale_type="hammer")
        | Q(to_leader & short, sale_type="below_reserve")
        | (Q(sale_type="buy_now", hammer_price=F("product__buy_now_price")) & (Q(price__isnull=True) | short))
        | Q(Exists(accepted), sale_type="second_chance")
    )
    good = (
        Q(status="open", result="")
        | sold
        | Q(led & short, status="unsold", result="reserve_not_met")
        | Q(status="unsold", result="no_bids", leader__isnull=True)
        | Q(status="cancelled", result="cancelled")
    )
    matching = Auction.objects.filter(good, pk=OuterRef("pk"))
    wrong = Auction.objects.filter(batch.within("pk"), ~Exists(matching)).order_by("pk")
    for pk, status, result, sale in wrong.values_list("pk", "status", "result", "sale_type").iterator():
        yield f"product {pk}: {status} with the result {result or 'none'}{sale and f', by {sale}'}"


@invariant(8, "every closed auction was closed once", over=Product)
def check_closed_once(batch: Batch) -> Iterable[str]:
    """Check that a closed auction has one event of it, at its time and with its result, and an open one none."""
    closings = _events(batch, *_CLOSING)
    counted = closings.values("product_id").annotate(times=Count("pk"), event_at=Max("created_at"))
    wrong = counted.filter(
        Q(times__gt=1) | Q(product__auction__status="open") | ~Q(event_at=F("product__auction__closed_at"))
    ).order_by("product_id")
    for pk, status, times in wrong.values_list("product_id", "product__auction__status", "times").iterator():
        yield f"product {pk}: {status}, closed by {times} events"
    closed = Auction.objects.filter(batch.within("pk")).exclude(status="open")
    silent = closed.exclude(pk__in=closings.values("product_id"))
    yield from describe(silent, "product {}: {}, closed by 0 events", "status")
    # A sale below the reserve has an event of its own; the first one stays as it was.
    waived = AuctionEvent.objects.filter(kind=Kind.RESERVE_WAIVED, product=OuterRef("product"))
    other = (
        closings.annotate(recorded=Cast(KT("data__result"), TextField()), waived=Exists(waived))
        .exclude(
            Q(kind=Kind.CANCELLED, product__auction__result="cancelled") | Q(recorded=F("product__auction__result"))
        )
        .exclude(waived=True, recorded="reserve_not_met", product__auction__result="sold")
        .exclude(product__auction__status="open")
        .order_by("product_id")
    )
    for pk, result, recorded in other.values_list("product_id", "product__auction__result", "recorded").iterator():
        yield f"product {pk}: {result}, its event says {recorded}"


@invariant(8, "nothing happens after the close, nothing post-sale before it", over=Product)
def check_order_around_close(batch: Batch) -> Iterable[str]:
    """Look for bids, voids, edits and extensions after the close, by time or in the log, and the reverse."""
    late = Bid.objects.order_by().filter(batch.within("product"), placed_at__gt=F("product__auction__closed_at"))
    yield from describe(late, "bid {} of product {}: after the close", "product")
    closings = _events(batch, *_CLOSING)
    bids = closings.filter(product__bids__seq__gt=F("seq"))
    for product, closed, seq in bids.values_list("product_id", "seq", "product__bids__seq").iterator():
        yield f"product {product}: bid on at seq {seq}, closed at {closed}"
    events = closings.filter(product__events__kind__in=_BEFORE_CLOSE, product__events__seq__gt=F("seq"))
    fields = ("product_id", "seq", "product__events__seq", "product__events__kind")
    for product, closed, seq, kind in events.values_list(*fields).iterator():
        yield f"product {product}: {kind} at seq {seq}, closed at {closed}"
    earlier = AuctionEvent.objects.filter(product=OuterRef("product"), seq__lt=OuterRef("seq"), kind__in=_CLOSING)
    early = _events(batch, *_AFTER_CLOSE).filter(~Exists(earlier))
    for product, seq, kind in early.values_list("product_id", "seq", "kind").iterator():
        yield f"product {product}: {kind} at seq {seq}, not closed before"


@invariant(8, "reserves are waived in time", over=Product)
def check_waived_reserves(batch: Batch) -> Iterable[str]:
    """Check that a reserve was waived within the window after a close below it, and that this sold the product."""
    close = AuctionEvent.objects.filter(
        kind=Kind.CLOSED,
        product=OuterRef("product"),
        data__result="reserve_not_met",
        created_at__lte=OuterRef("created_at"),
        created_at__gt=OuterRef("created_at") - ACCEPT_BELOW_RESERVE_WINDOW,
    )
    sold = Q(product__auction__sale_type__in=("below_reserve", "second_chance"))
    wrong = _events(batch, Kind.RESERVE_WAIVED).exclude(Q(Exists(close)) & sold).order_by("product_id", "seq")
    for product, seq in wrong.values_list("product_id", "seq").iterator():
        yield f"product {product}: event {seq} waives no reserve"


@invariant(7, "terms stay fixed once there is a bid", over=Product)
def check_terms_stay_fixed(batch: Batch) -> Iterable[str]:
    """Look for edits after a bid, of more than the description and the images."""
    earlier = Bid.objects.order_by().filter(product=OuterRef("product"), seq__lt=OuterRef("seq"))
    edits = _events(batch, Kind.EDITED).filter(Exists(earlier)).order_by("product_id", "seq")
    for product, seq, data in edits.values_list("product_id", "seq", "data").iterator():
        fields = data.get("fields") or ["nothing"]
        if not _EDITABLE_WITH_BIDS.issuperset(fields):
            yield f"product {product}: event {seq} edits {', '.join(map(str, fields))} after a bid"


@invariant(9, "no auction is overdue")
def check_no_auction_is_overdue() -> Iterable[str]:
    """Find auctions that are open 60 s after their end, while a worker is up."""
    due = Auction.objects.due(clock.now() - OVERDUE)
    yield from describe(due, "product {}: still open, it ended at {}", "ends_at")


def _events(batch: Batch, *kinds: AuctionEvent.Kind) -> QuerySet[AuctionEvent]:
    found: QuerySet[AuctionEvent] = AuctionEvent.objects.order_by().filter(batch.within("product"), kind__in=kinds)
    return found
