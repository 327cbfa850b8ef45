"""What must always be true of auctions, bids and the event log (invariants 1-9), checked on live data, read-only.

Each check returns one line for every row that breaks it. What the tables can say by themselves is one query; the replay
is one ordered pass over the bids beside one over the auctions.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db.models import (
    Case,
    CharField,
    Count,
    Exists,
    F,
    Max,
    Min,
    OuterRef,
    Q,
    Subquery,
    UUIDField,
    Value,
    When,
    Window,
)
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Coalesce, Lag, Replace, Round

from auctioncraft import clock, money
from auctioncraft.models import IdempotencyKey
from auctions import pricing, replay
from auctions.models import Auction, AuctionEvent, Bid, Product

if TYPE_CHECKING:
    from collections.abc import Callable

_OVERDUE: Final = timedelta(seconds=60)
_CLOSING: Final = (AuctionEvent.Kind.CLOSED, AuctionEvent.Kind.CANCELLED)
_MONEY: Final[tuple[tuple[Any, tuple[str, ...]], ...]] = (
    (Bid, ("price", "amount", "max_amount")),
    (Auction, ("price", "maximum", "hammer_price")),
    (Product, ("starting_bid", "reserve_price", "buy_now_price", "bid_increment")),
)


def counts() -> list[str]:
    """1: bid_count counts the public rows that people made."""
    by_people = Count("product__bids", filter=Q(product__bids__seq__isnull=False) & ~_AUTOMATIC)
    wrong = Auction.objects.annotate(people=by_people).exclude(bid_count=F("people")).order_by("pk")
    return [
        f"product {pk}: bid_count is {count}, people made {people} public rows"
        for pk, count, people in wrong.values_list("pk", "bid_count", "people")
    ]


_AUTOMATIC: Final = Q(product__bids__outcome=pricing.Outcome.AUTOMATIC)


def log_is_gap_free() -> list[str]:
    """2: the events of a product are 1, 2, 3 … up to its seq."""
    log = Auction.objects.annotate(
        events=Count("product__events"),
        first=Coalesce(Min("product__events__seq"), 1),
        last=Coalesce(Max("product__events__seq"), 0),
    )
    wrong = log.exclude(events=F("seq"), first=1, last=F("seq")).order_by("pk")
    return [
        f"product {pk}: seq is {seq}, its {events} events are {first}..{last}"
        for pk, seq, events, first, last in wrong.values_list("pk", "seq", "events", "first", "last")
    ]


def bids_and_log_agree() -> list[str]:
    """2: a public bid has its event, of the same moment, and a bid's event its bid."""
    # EXCEPT: both sides are read once, whatever indexes there are.
    told = (
        AuctionEvent.objects.order_by()
        .filter(kind=AuctionEvent.Kind.BID_PLACED)
        .values_list("product_id", "seq", "created_at")
    )
    public = Bid.objects.order_by().filter(seq__isnull=False)
    by_people = public.exclude(outcome=pricing.Outcome.AUTOMATIC)
    moments = ("product_id", "seq", "placed_at")
    unsaid, unmade = public.values_list(*moments).difference(told), told.difference(by_people.values_list(*moments))
    return [f"product {product}: the bid of seq {seq} at {moment} has no event" for product, seq, moment in unsaid] + [
        f"product {product}: event {seq} at {moment} has no bid" for product, seq, moment in unmade
    ]


def bids_are_within_their_auction() -> list[str]:
    """2: no bid has a version that its auction has not come to."""
    ahead = Bid.objects.filter(version__gt=F("product__auction__version"))
    bare = Product.objects.filter(auction__isnull=True).order_by("pk")
    return [f"bid {pk} of product {product}: ahead of it" for pk, product in ahead.values_list("pk", "product")] + [
        f"product {pk} has no auction" for pk in bare.values_list("pk", flat=True)
    ]


def prices_never_fall() -> list[str]:
    """2: amounts never fall as bids follow each other."""
    return [
        f"bid {pk} of product {product}: {price} after {before}"
        for pk, product, price, before in _after_the_one_before("price").values_list("pk", "product", "price", "before")
    ]


def amounts_fit() -> list[str]:
    """3: every amount is above zero, at most the cap, and has at most its currency's decimals."""
    lines = []
    for model, fields in _MONEY:
        currency = "currency" if model is Product else "product__currency"
        for field in fields:
            # Three decimals always fit: that is what the columns hold.
            fraction = Q(**{f"{currency}__in": money.ZERO_DECIMAL}) & ~Q(**{field: Round(F(field))})
            fraction |= ~Q(**{f"{currency}__in": money.ZERO_DECIMAL | money.THREE_DECIMAL}) & ~Q(
                **{field: Round(F(field), precision=2)}
            )
            outside = Q(**{f"{field}__lte": 0}) | Q(**{f"{field}__gt": settings.MAX_AMOUNT})
            wrong = model.objects.order_by("pk").filter(outside | fraction, **{f"{field}__isnull": False})
            lines += [
                f"{model._meta.model_name} {pk}: {field} {amount} is no amount in {code}"  # noqa: SLF001 (public by documentation)
                for pk, amount, code in wrong.values_list("pk", field, currency)
            ]
    return lines


def sellers_do_not_bid() -> list[str]:
    """4: no bid by the seller."""
    own = Bid.objects.filter(bidder=F("product__seller"))
    return [f"bid {pk} of product {product}: by its seller" for pk, product in own.values_list("pk", "product")]


def bids_are_in_time() -> list[str]:
    """4: no bid before the start or from the end on. Of an end that was moved later, extensions_add_up tells."""
    early, late = Q(placed_at__lt=F("product__auction__starts_at")), Q(placed_at__gte=F("product__auction__ends_at"))
    rows = Bid.objects.filter(early | late).values_list("pk", "product", "placed_at")
    return [f"bid {pk} of product {product}: outside its time, at {moment}" for pk, product, moment in rows]


def moments_never_fall() -> list[str]:
    """4: placed_at never falls as bids follow each other."""
    rows = _after_the_one_before("placed_at").values_list("pk", "product", "placed_at", "before")
    return [f"bid {pk} of product {product}: at {moment}, after {before}" for pk, product, moment, before in rows]


def _after_the_one_before(field: str) -> Any:
    """Return the bids of which `field` is less than it was in the bid before."""
    before = Window(Lag(field), partition_by=F("product_id"), order_by=("version", "position"))
    return Bid.objects.order_by().annotate(before=before).filter(**{f"{field}__lt": F("before")})


def kept_answers_have_their_bid() -> list[str]:
    """5: the answer that is kept under an Idempotency-Key is that of a bid that is there."""
    text = KT("answer__bid__id")
    number = Cast(Replace("text", Value("-"), Value(""), output_field=CharField()), UUIDField())
    kept = (
        IdempotencyKey.objects.annotate(text=text)
        .filter(text__isnull=False)
        .annotate(bid=Case(When(text__regex=r"^[0-9a-f-]{36}$", then=number)))
    )
    without = kept.filter(~Exists(Bid.objects.filter(pk=OuterRef("bid")))).order_by("pk")
    return [f"idempotency key {pk}: its bid {bid} is not there" for pk, bid in without.values_list("pk", "text")]


def extensions_add_up() -> list[str]:
    """7: each extension begins at the end before it, was made before that, and the last one is the auction's end."""
    moves = (
        AuctionEvent.objects.filter(kind=AuctionEvent.Kind.EXTENDED, product__auction__isnull=False)
        .order_by("product_id", "seq")
        .values_list(
            "product_id",
            "seq",
            "created_at",
            KT("data__from"),
            KT("data__ends_at"),
            "product__auction__ends_at",
            "product__auction__hard_ends_at",
        )
    )
    lines = []
    for product, rows in groupby(moves.iterator(replay.CHUNK), key=lambda row: row[0]):
        chain = [
            (seq, made_at, replay.moment(old), replay.moment(new), *ends) for _, seq, made_at, old, new, *ends in rows
        ]
        lines += [
            f"event {seq} of product {product}: no extension of {old} to {new}"
            for seq, made_at, old, new, _, hard_end in chain
            if not (old and new and made_at < old < new <= hard_end)
        ]
        lines += [
            f"event {after[0]} of product {product}: extends {after[2]}, the end was {before[3]}"
            for before, after in pairwise(chain)
            if before[3] != after[2]
        ]
        if chain[-1][3] != chain[-1][4]:
            lines.append(f"product {product}: ends_at is {chain[-1][4]}, its extensions end at {chain[-1][3]}")
    return lines


def results_fit() -> list[str]:
    """8: status and result agree, with each other and with how the auction stood."""
    led, met = (
        Q(leader__isnull=False),
        Q(product__reserve_price__isnull=True) | Q(price__gte=F("product__reserve_price")),
    )
    good = (
        Q(status="open", result="")
        | Q(status="sold", result="sold", winner=F("leader"), hammer_price=F("price"))
        | Q(led & ~met, status="unsold", result="reserve_not_met")
        | Q(status="unsold", result="no_bids", leader__isnull=True)
        | Q(status="cancelled", result="cancelled")
    )
    fitting = Auction.objects.filter(good, pk=OuterRef("pk"))
    wrong = Auction.objects.filter(~Exists(fitting)).order_by("pk").values_list("pk", "status", "result")
    return [f"product {pk}: {status} with the result {result or 'none'}" for pk, status, result in wrong]


def closed_once() -> list[str]:
    """8: a closed auction has exactly one event that says so, at its moment; an open one none."""
    closing = Q(product__events__kind__in=_CLOSING)
    told = Auction.objects.annotate(
        times=Count("product__events", filter=closing), told_at=Max("product__events__created_at", filter=closing)
    )
    fitting = Q(status="open", times=0) | (~Q(status="open") & Q(times=1, told_at=F("closed_at")))
    right = told.filter(fitting, pk=OuterRef("pk"))
    wrong = told.filter(~Exists(right)).order_by("pk").values_list("pk", "status", "times")
    return [f"product {pk}: {status}, closed by {times} events" for pk, status, times in wrong]


def no_bid_after_the_close() -> list[str]:
    """8: no bid after the result, neither by the clock nor in the log."""
    late = Bid.objects.filter(placed_at__gt=F("product__auction__closed_at")).values_list("pk", "product")
    last = Bid.objects.order_by().filter(product_id=OuterRef("pk")).values("product_id").values(last=Max("seq"))
    overrun = (
        Auction.objects.annotate(
            told=Min("product__events__seq", filter=Q(product__events__kind__in=_CLOSING)), last=Subquery(last)
        )
        .filter(last__gt=F("told"))
        .order_by("pk")
    )
    return [f"bid {pk} of product {product}: after the close" for pk, product in late] + [
        f"product {pk}: bid on at seq {last}, closed at {told}"
        for pk, last, told in overrun.values_list("pk", "last", "told")
    ]


def none_is_overdue() -> list[str]:
    """9: no auction is open 60 s after its end (while a worker is up)."""
    due = Auction.objects.due(clock.now() - _OVERDUE).values_list("pk", "ends_at")
    return [f"product {pk}: still open, it ended at {ends_at}" for pk, ends_at in due]


CHECKS: Final[dict[str, Callable[[], list[str]]]] = {
    "1 its bids, decided again, give each auction": replay.replay,
    "1 bid_count counts what people bid in public": counts,
    "2 the log of each product is gap-free": log_is_gap_free,
    "2 every public bid has its event, every such event its bid": bids_and_log_agree,
    "2 no bid is ahead of its auction": bids_are_within_their_auction,
    "2 prices never fall": prices_never_fall,
    "3 amounts are above zero, under the cap and fit their currency": amounts_fit,
    "4 no seller bid on their own product": sellers_do_not_bid,
    "4 every bid came between start and end": bids_are_in_time,
    "4 the moments of bids never fall": moments_never_fall,
    "5 every kept answer has its bid": kept_answers_have_their_bid,
    "7 extensions add up to the end": extensions_add_up,
    "8 results fit how the auctions stood": results_fit,
    "8 every closed auction was closed once": closed_once,
    "8 no bid came after the close": no_bid_after_the_close,
    "9 no auction is overdue": none_is_overdue,
}
