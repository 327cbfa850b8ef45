"""What must be true of bids, their events and their amounts (invariants 1-5), a query or two each."""

from __future__ import annotations

from collections import defaultdict
from functools import reduce
from operator import or_
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
    UUIDField,
    Value,
    When,
    Window,
)
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Coalesce, Lag, Replace, Round

from auctioncraft.core import money
from auctioncraft.models import IdempotencyKey
from auctions.formats.base import Outcome
from auctions.models import Auction, AuctionEvent, Bid, BidVoid, Product, SecondChanceOffer

if TYPE_CHECKING:
    from decimal import Decimal

    from django.db.models import QuerySet

_MONEY: Final[tuple[tuple[Any, tuple[str, ...]], ...]] = (
    (Bid, ("displayed_amount", "amount", "max_amount")),
    (Auction, ("price", "leader_max", "hammer_price")),
    (Product, ("starting_bid", "reserve_price", "buy_now_price", "bid_increment")),
    (SecondChanceOffer, ("amount",)),
)
_ORDER: Final = ("version", "position")
_AUTOMATIC: Final = Q(product__bids__outcome=Outcome.AUTOMATIC)


def counts() -> list[str]:
    """1: bid_count counts the public rows that people made; where a bid was voided, the replay counts."""
    by_people = Count("product__bids", filter=Q(product__bids__seq__isnull=False) & ~_AUTOMATIC)
    unvoided = Auction.objects.exclude(pk__in=BidVoid.objects.values("product_id"))
    wrong = unvoided.annotate(people=by_people).exclude(bid_count=F("people")).order_by("pk")
    return [
        f"product {pk}: bid_count is {count}, people made {people} public rows"
        for pk, count, people in wrong.values_list("pk", "bid_count", "people")
    ]


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
    told = _events(AuctionEvent.Kind.BID_PLACED).values_list("product_id", "seq", "created_at")
    public = Bid.objects.order_by().filter(seq__isnull=False)
    moments = ("product_id", "seq", "placed_at")
    unsaid = public.values_list(*moments).difference(told)
    unmade = told.difference(public.made_by_people().values_list(*moments))
    return [f"product {product}: the bid of seq {seq} at {moment} has no event" for product, seq, moment in unsaid] + [
        f"product {product}: event {seq} at {moment} has no bid" for product, seq, moment in unmade
    ]


def voids_and_log_agree() -> list[str]:
    """2: a void is of an earlier bid that somebody made on the same product; it has its event, and that its void."""
    bid = Q(bid__product=F("product"), bid__version__lt=F("version"), bid__placed_at__lte=F("voided_at"))
    wrong = BidVoid.objects.filter(~bid | Q(bid__outcome=Outcome.AUTOMATIC)).values_list("product_id", "pk")
    told = _events(AuctionEvent.Kind.BID_VOIDED).values_list("product_id", "created_at")
    made = BidVoid.objects.order_by().values_list("product_id", "voided_at")
    return (
        [f"product {product}: the void of bid {pk} is none" for product, pk in wrong]
        + [f"product {product}: the void at {moment} has no event" for product, moment in made.difference(told)]
        + [f"product {product}: the event at {moment} has no void" for product, moment in told.difference(made)]
    )


def bids_are_within_their_auction() -> list[str]:
    """2: no bid and no void has a version that its auction has not come to."""
    bare = Product.objects.filter(auction__isnull=True).order_by("pk")
    return [
        f"{model._meta.verbose_name} {pk} of product {product}: ahead of it"  # noqa: SLF001 (public by documentation)
        for model in (Bid, BidVoid)
        for pk, product in model.objects.order_by()
        .filter(version__gt=F("product__auction__version"))
        .values_list("pk", "product")
    ] + [f"product {pk} has no auction" for pk in bare.values_list("pk", flat=True)]


def prices_never_fall() -> list[str]:
    """2, 4: neither amounts nor moments ever fall as bids follow each other; after a void amounts begin anew."""

    def before(field: str) -> Window:
        return Window(Lag(field), partition_by=F("product_id"), order_by=_ORDER)

    falls = Q(displayed_amount__lt=F("price_before")) | Q(placed_at__lt=F("placed_before"))
    rows = (
        Bid.objects.order_by()
        .annotate(
            price_before=before("displayed_amount"), placed_before=before("placed_at"), version_before=before("version")
        )
        .filter(falls)
        .values_list("product_id", "pk", "version", "version_before", "displayed_amount", "price_before")
        .annotate(placed=F("placed_at"), before=F("placed_before"))
    )
    voids: defaultdict[int, list[int]] = defaultdict(list)
    for product, version in BidVoid.objects.values_list("product_id", "version"):
        voids[product].append(version)
    lines = []
    for product, pk, version, earlier, price, price_before, placed, placed_before in rows:
        if price < price_before and not any(earlier < void < version for void in voids[product]):
            lines.append(f"bid {pk} of product {product}: {price} after {price_before}")
        if placed < placed_before:
            lines.append(f"bid {pk} of product {product}: at {placed}, after {placed_before}")
    return lines


def amounts_fit() -> list[str]:
    """3: every amount is above zero, at most the cap, and has at most its currency's decimals."""
    lines = []
    for model, fields in _MONEY:
        currency = "currency" if model is Product else "product__currency"
        suspects = reduce(or_, (_may_be_unfit(field, currency) for field in fields))
        rows = model.objects.order_by().filter(suspects).values_list("pk", currency, *fields)
        lines += [
            f"{model._meta.model_name} {pk}: {field} {amount} is no amount in {code}"  # noqa: SLF001 (public by documentation)
            for pk, code, *amounts in rows
            for field, amount in zip(fields, amounts, strict=True)
            if amount is not None and not _fits(amount, code)
        ]
    return lines


def _may_be_unfit(field: str, currency: str) -> Q:
    """Return what holds of every amount that is none, and of few that are one: cheap, for it is asked of each."""
    few_decimals = ~Q(**{f"{currency}__in": money.THREE_DECIMAL}) & ~Q(**{field: Round(F(field), precision=2)})
    whole = Q(**{f"{currency}__in": money.ZERO_DECIMAL}) & ~Q(**{field: Round(F(field))})
    outside = Q(**{f"{field}__lte": 0}) | Q(**{f"{field}__gt": settings.MAX_AMOUNT})
    return Q(**{f"{field}__isnull": False}) & (outside | few_decimals | whole)


def _fits(amount: Decimal, currency: str) -> bool:
    try:
        return amount > 0 and bool(money.check_precision(amount, currency, settings.MAX_AMOUNT))
    except money.InvalidAmount:
        return False


def sellers_do_not_bid() -> list[str]:
    """4: no bid by the seller."""
    own = Bid.objects.order_by().filter(bidder=F("product__seller"))
    return [f"bid {pk} of product {product}: by its seller" for pk, product in own.values_list("pk", "product")]


def kept_answers_have_their_bid() -> list[str]:
    """5: the answer that is kept under an Idempotency-Key is that of a bid of its owner, and of no other key's bid."""
    text = KT("response__bid__id")
    number = Cast(Replace("text", Value("-"), Value(""), output_field=CharField()), UUIDField())
    kept = IdempotencyKey.objects.annotate(text=text).filter(text__isnull=False)
    numbered = kept.annotate(bid=Case(When(text__regex=r"^[0-9a-f-]{36}$", then=number)))
    theirs = Bid.objects.filter(pk=OuterRef("bid"), bidder_id=OuterRef("user_id"))
    without = numbered.filter(~Exists(theirs)).order_by("pk")
    shared = kept.order_by().values("text").annotate(keys=Count("pk")).filter(keys__gt=1)
    return [f"idempotency key {pk}: its bid {bid} is not there" for pk, bid in without.values_list("pk", "text")] + [
        f"bid {bid} is the answer to {keys} idempotency keys" for bid, keys in shared.values_list("text", "keys")
    ]


def _events(kind: AuctionEvent.Kind) -> QuerySet[AuctionEvent]:
    found: QuerySet[AuctionEvent] = AuctionEvent.objects.order_by().filter(kind=kind)
    return found
