"""Bids, their events and their amounts (invariants 1-5): a few queries per batch."""

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

from accounts.models import User
from auctioncraft.core import money
from auctioncraft.core.invariants import describe, invariant
from auctioncraft.models import IdempotencyKey
from auctions.formats.base import Outcome
from auctions.models import Auction, AuctionEvent, Bid, BidVoid, Product, SecondChanceOffer
from auctions.product_fields import AMOUNTS, FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from decimal import Decimal

    from django.db.models import QuerySet

    from auctioncraft.core.invariants import Batch

_MONEY: Final[tuple[tuple[Any, tuple[str, ...]], ...]] = (
    (Bid, ("displayed_amount", "amount", "max_amount")),
    (Auction, ("price", "leader_max", "hammer_price")),
    (Product, AMOUNTS),
    (SecondChanceOffer, ("amount",)),
)
_ZERO_ALLOWED: Final = {name for name in AMOUNTS if FIELDS[name].zero_allowed}
_ORDER: Final = ("version", "position")
_AUTOMATIC: Final = Q(product__bids__outcome=Outcome.AUTOMATIC)


@invariant(1, "bid_count counts the public bids", over=Product)
def check_counts(batch: Batch) -> Iterable[str]:
    """Compare bid_count with the public rows by people; for auctions with a void the replay does."""
    by_people = Count("product__bids", filter=Q(product__bids__seq__isnull=False) & ~_AUTOMATIC)
    voided = BidVoid.objects.filter(batch.within("product")).values("product_id")
    unvoided = Auction.objects.filter(batch.within("pk")).exclude(pk__in=voided)
    wrong = unvoided.annotate(people=by_people).exclude(bid_count=F("people")).order_by("pk")
    yield from describe(wrong, "product {}: bid_count is {}, people made {} public rows", "bid_count", "people")


@invariant(2, "each product's event log has no gaps", over=Product)
def check_log_has_no_gaps(batch: Batch) -> Iterable[str]:
    """Compare the events of each product with 1, 2, 3 ... up to its seq."""
    log = Auction.objects.filter(batch.within("pk")).annotate(
        events=Count("product__events"),
        first=Coalesce(Min("product__events__seq"), 1),
        last=Coalesce(Max("product__events__seq"), 0),
    )
    wrong = log.exclude(events=F("seq"), first=1, last=F("seq")).order_by("pk")
    yield from describe(wrong, "product {}: seq is {}, its {} events are {}..{}", "seq", "events", "first", "last")


@invariant(2, "every public bid has its event and every such event its bid", over=Product)
def check_bids_and_log_agree(batch: Batch) -> Iterable[str]:
    """Compare public bids and bid events, by their seq and time."""
    events = _events(batch, AuctionEvent.Kind.BID_PLACED).values_list("product_id", "seq", "created_at")
    public = Bid.objects.order_by().filter(batch.within("product"), seq__isnull=False)
    fields = ("product_id", "seq", "placed_at")
    for product, seq, at in public.values_list(*fields).difference(events).iterator():
        yield f"product {product}: the bid of seq {seq} at {at} has no event"
    for product, seq, at in events.difference(public.made_by_people().values_list(*fields)).iterator():
        yield f"product {product}: event {seq} at {at} has no bid"


@invariant(2, "every void has its bid and its event", over=Product)
def check_voids_and_log_agree(batch: Batch) -> Iterable[str]:
    """Check that a void is of an earlier bid by a person on the same product, and has its event."""
    voids = BidVoid.objects.filter(batch.within("product"))
    bid = Q(bid__product=F("product"), bid__version__lt=F("version"), bid__placed_at__lte=F("voided_at"))
    wrong = voids.filter(~bid | Q(bid__outcome=Outcome.AUTOMATIC)).values_list("product_id", "pk")
    events = _events(batch, AuctionEvent.Kind.BID_VOIDED).values_list("product_id", "created_at")
    made = voids.order_by().values_list("product_id", "voided_at")
    for product, pk in wrong.iterator():
        yield f"product {product}: bid {pk} cannot have been voided"
    for product, at in made.difference(events).iterator():
        yield f"product {product}: the void at {at} has no event"
    for product, at in events.difference(made).iterator():
        yield f"product {product}: the event at {at} has no void"


@invariant(2, "no bid has a later version than its auction", over=Product)
def check_versions(batch: Batch) -> Iterable[str]:
    """Check that no bid and no void is ahead of its auction, and that each product has one."""
    for model in (Bid, BidVoid):
        ahead = model.objects.order_by().filter(batch.within("product"), version__gt=F("product__auction__version"))
        for pk, product in ahead.values_list("pk", "product").iterator():
            yield f"{model._meta.verbose_name} {pk} of product {product}: ahead of it"  # noqa: SLF001 (documented)
    bare = Product.objects.filter(batch.within("pk"), auction__isnull=True).order_by("pk")
    yield from (f"product {pk} has no auction" for pk in bare.values_list("pk", flat=True).iterator())


@invariant((2, 4), "bid amounts and times never fall", over=Product)
def check_bids_never_fall(batch: Batch) -> Iterable[str]:
    """Compare each bid with the one before it, public ones by amount too. After a void amounts may start lower."""

    def before(field: str) -> Window:
        return Window(Lag(field), partition_by=F("product_id"), order_by=_ORDER)

    voids: defaultdict[int, list[int]] = defaultdict(list)
    for product, version in BidVoid.objects.filter(batch.within("product")).values_list("product_id", "version"):
        voids[product].append(version)
    lower = Q(seq__isnull=False, displayed_amount__lt=F("amount_before"))
    rows = (
        Bid.objects.order_by()
        .filter(batch.within("product"))
        .annotate(
            amount_before=before("displayed_amount"),
            placed_before=before("placed_at"),
            version_before=before("version"),
        )
        .filter(lower | Q(placed_at__lt=F("placed_before")))
        .values_list("product_id", "pk", "version", "version_before", "seq", "displayed_amount", "amount_before")
        .annotate(placed=F("placed_at"), before=F("placed_before"))
    )
    for product, pk, version, earlier, seq, amount, amount_before, placed, placed_before in rows.iterator():
        if seq is not None and amount < amount_before and not any(earlier < void < version for void in voids[product]):
            yield f"bid {pk} of product {product}: {amount} after {amount_before}"
        if placed < placed_before:
            yield f"bid {pk} of product {product}: at {placed}, after {placed_before}"


@invariant(3, "amounts are within their limits and fit their currency", over=Product)
def check_amounts(batch: Batch) -> Iterable[str]:
    """Check every amount of products, auctions, bids and second chances. Some of a product, like shipping, may be 0."""
    for model, fields in _MONEY:
        prefix = "" if model is Product else "product__"
        suspects = reduce(or_, (_is_suspect(field, f"{prefix}currency") for field in fields))
        rows = model.objects.order_by().filter(batch.within(f"{prefix}pk"), suspects)
        for pk, currency, *amounts in rows.values_list("pk", f"{prefix}currency", *fields).iterator():
            for field, amount in zip(fields, amounts, strict=True):
                if amount is not None and not _fits(amount, currency, zero_allowed=field in _ZERO_ALLOWED):
                    yield f"{model._meta.model_name} {pk}: {field} {amount} is no amount in {currency}"  # noqa: SLF001 (documented)


def _is_suspect(field: str, currency: str) -> Q:
    """Return a cheap condition that is true for every wrong amount and for few right ones."""
    few_decimals = ~Q(**{f"{currency}__in": money.THREE_DECIMAL}) & ~Q(**{field: Round(F(field), precision=2)})
    whole = Q(**{f"{currency}__in": money.ZERO_DECIMAL}) & ~Q(**{field: Round(F(field))})
    too_low = f"{field}__lt" if field in _ZERO_ALLOWED else f"{field}__lte"
    outside = Q(**{too_low: 0}) | Q(**{f"{field}__gt": settings.MAX_AMOUNT})
    return Q(**{f"{field}__isnull": False}) & (outside | few_decimals | whole)


def _fits(amount: Decimal, currency: str, *, zero_allowed: bool) -> bool:
    try:
        money.check_precision(amount, currency, settings.MAX_AMOUNT)
    except money.InvalidAmount:
        return False
    return amount > 0 or (zero_allowed and amount == 0)


@invariant(4, "no seller bids on their own product", over=Product)
def check_sellers_do_not_bid(batch: Batch) -> Iterator[str]:
    """Find bids by the seller."""
    own = Bid.objects.order_by().filter(batch.within("product"), bidder=F("product__seller"))
    yield from describe(own, "bid {} of product {}: by its seller", "product")


@invariant(5, "every stored response has its bid", over=User)
def check_stored_responses(batch: Batch) -> Iterable[str]:
    """Check that the response under an Idempotency-Key names a bid of the key's owner, and no other key's bid."""
    text = KT("response__bid__id")
    number = Cast(Replace("text", Value("-"), Value(""), output_field=CharField()), UUIDField())
    stored = IdempotencyKey.objects.filter(batch.within("user_id")).annotate(text=text).filter(text__isnull=False)
    numbered = stored.annotate(bid=Case(When(text__regex=r"^[0-9a-f-]{36}$", then=number)))
    theirs = Bid.objects.filter(pk=OuterRef("bid"), bidder_id=OuterRef("user_id"))
    without = numbered.filter(~Exists(theirs)).order_by("pk")
    shared = stored.order_by().values("text").annotate(keys=Count("pk")).filter(keys__gt=1)
    yield from describe(without, "idempotency key {}: its bid {} is not there", "text")
    for bid, keys in shared.values_list("text", "keys").iterator():
        yield f"bid {bid} is the answer to {keys} idempotency keys"


def _events(batch: Batch, kind: AuctionEvent.Kind) -> QuerySet[AuctionEvent]:
    found: QuerySet[AuctionEvent] = AuctionEvent.objects.order_by().filter(batch.within("product"), kind=kind)
    return found
