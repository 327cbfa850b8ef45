"""What must be true of how auctions end: one result, that fits how they stood, and nothing after it (8 and 9)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db.models import Count, Exists, F, Max, OuterRef, Q, TextField
from django.db.models.fields.json import KT
from django.db.models.functions import Cast

from auctioncraft.core import clock
from auctions.models import Auction, AuctionEvent, Bid, SecondChanceOffer
from auctions.services.closing import ACCEPT_BELOW_RESERVE_WINDOW

if TYPE_CHECKING:
    from django.db.models import QuerySet

OVERDUE: Final = timedelta(seconds=60)
Kind = AuctionEvent.Kind
_CLOSING: Final = (Kind.CLOSED, Kind.CANCELLED)
# What happens to an auction before it has its result, and what becomes of the result.
_BEFORE: Final = (Kind.BID_PLACED, Kind.EXTENDED, Kind.BID_VOIDED, Kind.EDITED)
_AFTER: Final = (
    *(Kind.RESERVE_WAIVED, Kind.SALE_FELL_THROUGH, Kind.SECOND_CHANCE_OFFERED, Kind.SECOND_CHANCE_ACCEPTED),
    *(Kind.SECOND_CHANCE_DECLINED, Kind.SECOND_CHANCE_LAPSED, Kind.RELISTED),
)
# What may be edited although somebody has bid (docs/rules.md, Changing a product).
_STILL_EDITED: Final = {"description", "images"}


def results_fit() -> list[str]:
    """8: status, result and way of sale agree, with each other and with how the auction stood."""
    led = Q(leader__isnull=False)
    short = Q(product__reserve_price__isnull=False, price__lt=F("product__reserve_price"))
    to_leader = Q(winner=F("leader"), hammer_price=F("price"))
    taken = SecondChanceOffer.objects.filter(
        product=OuterRef("pk"), bidder=OuterRef("winner"), amount=OuterRef("hammer_price"), status="accepted"
    )
    sold = Q(status="sold", result="sold") & (
        Q(to_leader & ~short, sale_type="hammer")
        | Q(to_leader & short, sale_type="below_reserve")
        | (Q(sale_type="buy_now", hammer_price=F("product__buy_now_price")) & (Q(price__isnull=True) | short))
        | Q(Exists(taken), sale_type="second_chance")
    )
    good = (
        Q(status="open", result="")
        | sold
        | Q(led & short, status="unsold", result="reserve_not_met")
        | Q(status="unsold", result="no_bids", leader__isnull=True)
        | Q(status="cancelled", result="cancelled")
    )
    fitting = Auction.objects.filter(good, pk=OuterRef("pk"))
    wrong = Auction.objects.filter(~Exists(fitting)).order_by("pk").values_list("pk", "status", "result", "sale_type")
    return [
        f"product {pk}: {status} with the result {result or 'none'}{sale and f', by {sale}'}"
        for pk, status, result, sale in wrong
    ]


def closed_once() -> list[str]:
    """8: a closed auction has exactly one event that says so, at its moment, with its result; an open one none."""
    closings = _events(*_CLOSING).values("product_id").annotate(times=Count("pk"), told_at=Max("created_at"))
    wrong = closings.filter(
        Q(times__gt=1) | Q(product__auction__status="open") | ~Q(told_at=F("product__auction__closed_at"))
    ).order_by("product_id")
    silent = Auction.objects.exclude(status="open").exclude(pk__in=_events(*_CLOSING).values("product_id"))
    # A sale below the reserve says so in an event of its own; the first one stays as it was.
    waived = _events(Kind.RESERVE_WAIVED).filter(product=OuterRef("product"))
    other = (
        _events(*_CLOSING)
        .annotate(told=Cast(KT("data__result"), TextField()), waived=Exists(waived))
        .exclude(Q(kind=Kind.CANCELLED, product__auction__result="cancelled") | Q(told=F("product__auction__result")))
        .exclude(waived=True, told="reserve_not_met", product__auction__result="sold")
        .exclude(product__auction__status="open")
        .order_by("product_id")
    )
    return (
        [
            f"product {pk}: {status}, closed by {times} events"
            for pk, status, times in wrong.values_list("product_id", "product__auction__status", "times")
        ]
        + [f"product {pk}: {status}, closed by 0 events" for pk, status in silent.values_list("pk", "status")]
        + [
            f"product {pk}: {result}, its event says {told}"
            for pk, result, told in other.values_list("product_id", "product__auction__result", "told")
        ]
    )


def nothing_after_the_close() -> list[str]:
    """8: neither by the clock nor in the log: no bid, void, edit or extension after the result, nor a sequel before."""
    late = Bid.objects.order_by().filter(placed_at__gt=F("product__auction__closed_at")).values_list("pk", "product")
    closings = AuctionEvent.objects.order_by().filter(kind__in=_CLOSING)
    before = closings.filter(product__events__kind__in=_BEFORE, product__events__seq__gt=F("seq"))
    bids = closings.filter(product__bids__seq__gt=F("seq"))
    closed = closings.filter(product=OuterRef("product"), seq__lt=OuterRef("seq"))
    early = _events(*_AFTER).filter(~Exists(closed))
    return (
        [f"bid {pk} of product {product}: after the close" for pk, product in late]
        + [
            f"product {product}: bid on at seq {seq}, closed at {told}"
            for product, told, seq in bids.values_list("product_id", "seq", "product__bids__seq")
        ]
        + [
            f"product {product}: {kind} at seq {seq}, closed at {told}"
            for product, told, seq, kind in before.values_list(
                "product_id", "seq", "product__events__seq", "product__events__kind"
            )
        ]
        + [
            f"product {product}: {kind} at seq {seq}, not closed before"
            for product, seq, kind in early.values_list("product_id", "seq", "kind")
        ]
    )


def reserves_were_waived_in_time() -> list[str]:
    """8: a reserve was waived only after a close below it, within the time to, and that sold the product."""
    close = _events(Kind.CLOSED).filter(
        product=OuterRef("product"),
        data__result="reserve_not_met",
        created_at__lte=OuterRef("created_at"),
        created_at__gt=OuterRef("created_at") - ACCEPT_BELOW_RESERVE_WINDOW,
    )
    sold = Q(product__auction__sale_type__in=("below_reserve", "second_chance"))
    wrong = _events(Kind.RESERVE_WAIVED).exclude(Q(Exists(close)) & sold).order_by("product_id", "seq")
    return [
        f"product {product}: event {seq} waives no reserve" for product, seq in wrong.values_list("product_id", "seq")
    ]


def terms_stand_while_bids_do() -> list[str]:
    """7 and docs/rules.md, Changing a product: once somebody has bid, only text and pictures are added."""
    earlier = Bid.objects.order_by().filter(product=OuterRef("product"), seq__lt=OuterRef("seq"))
    rows = (
        _events(Kind.EDITED)
        .filter(Exists(earlier))
        .order_by("product_id", "seq")
        .values_list("product_id", "seq", "data")
    )
    return [
        f"product {product}: event {seq} edits {', '.join(map(str, fields))} after a bid"
        for product, seq, data in rows
        if (fields := data.get("fields") or ["nothing"]) and not _STILL_EDITED.issuperset(fields)
    ]


def none_is_overdue() -> list[str]:
    """9: no auction is open 60 s after its end (while a worker is up)."""
    due = Auction.objects.due(clock.now() - OVERDUE).values_list("pk", "ends_at")
    return [f"product {pk}: still open, it ended at {ends_at}" for pk, ends_at in due]


def _events(*kinds: AuctionEvent.Kind) -> QuerySet[AuctionEvent]:
    found: QuerySet[AuctionEvent] = AuctionEvent.objects.order_by().filter(kind__in=kinds)
    return found
