"""After the sale: second chances and relistings (invariant 8, and 9 for the periodic job)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.db.models import Exists, F, Max, OuterRef, Q, Subquery, TextField
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Coalesce

from auctioncraft.core import clock
from auctioncraft.core.invariants import describe, invariant
from auctions.invariants.results import OVERDUE
from auctions.models import Auction, AuctionEvent, Bid, Product, SecondChanceOffer
from auctions.services.second_chance import OFFER_LIFETIME

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.db.models import QuerySet

    from auctioncraft.core.invariants import Batch

Kind = AuctionEvent.Kind
Status = SecondChanceOffer.Status
_ANSWERS: Final = {
    Status.ACCEPTED: Kind.SECOND_CHANCE_ACCEPTED,
    Status.DECLINED: Kind.SECOND_CHANCE_DECLINED,
    Status.LAPSED: Kind.SECOND_CHANCE_LAPSED,
}


@invariant(8, "second chances are within what the bidder bid", over=Product)
def check_offer_amounts(batch: Batch) -> Iterable[str]:
    """Check that the amount is at most the bidder's own highest, and that the bidder is not the seller."""
    own = (
        Bid.objects.valid()
        .made_by_people()
        .filter(product=OuterRef("product"), bidder=OuterRef("bidder"))
        .order_by()
        .values("product")
        .values(highest=Max(Coalesce("max_amount", "amount")))
    )
    wrong = (
        _offers(batch)
        .annotate(highest=Subquery(own))
        .exclude(~Q(bidder=F("product__seller")), amount__gt=0, amount__lte=F("highest"))
        .order_by("pk")
    )
    for pk, product, amount, highest in wrong.values_list("pk", "product", "amount", "highest").iterator():
        yield f"second chance {pk} of product {product}: {amount} to a bidder who went to {highest}"


@invariant(8, "second chances last a day", over=Product)
def check_offer_times(batch: Batch) -> Iterable[str]:
    """Check that an offer lasts 24 hours, and is answered within them or lapsed after."""
    within = Q(status__in=(Status.ACCEPTED, Status.DECLINED), answered_at__lt=F("expires_at"))
    good = Q(status=Status.OFFERED) | within | Q(status=Status.LAPSED, answered_at__gte=F("expires_at"))
    in_time = _offers(batch).filter(good, expires_at=F("offered_at") + OFFER_LIFETIME)
    wrong = _offers(batch).exclude(pk__in=in_time.order_by().values("pk")).order_by("pk")
    yield from describe(wrong, "second chance {} of product {}: not its time", "product")


@invariant(8, "second chances are in the log", over=Product)
def check_offers_and_log_agree(batch: Batch) -> Iterable[str]:
    """Check that each offer and each answer is one event of that time, and each such event one of them."""
    kinds = (Kind.SECOND_CHANCE_OFFERED, *_ANSWERS.values())
    events = AuctionEvent.objects.filter(batch.within("product"), kind__in=kinds).order_by()
    made, recorded = set(), set(events.values_list("product_id", "kind", "created_at").iterator())
    offers = _offers(batch).order_by().values_list("product_id", "status", "offered_at", "answered_at")
    for product, status, offered_at, answered_at in offers.iterator():
        made.add((product, str(Kind.SECOND_CHANCE_OFFERED), offered_at))
        if answered_at is not None:
            made.add((product, str(_ANSWERS[Status(status)]), answered_at))
    yield from (f"product {product}: no {kind} at {at}" for product, kind, at in sorted(made - recorded))
    yield from (
        f"product {product}: {kind} at {at} of no second chance" for product, kind, at in sorted(recorded - made)
    )


@invariant(8, "second chances follow an unpaid sale", over=Product)
def check_offers_follow_an_unpaid_sale(batch: Batch) -> Iterable[str]:
    """Check that an open offer is of an unpaid product that is not relisted, and that the last accepted one sold it."""
    offers = _offers(batch)
    gone = Q(product__auction__payment_defaulted_at__isnull=True) | Q(product__relisting__isnull=False)
    later = SecondChanceOffer.objects.filter(
        product=OuterRef("product"), status=Status.ACCEPTED, answered_at__gt=OuterRef("answered_at")
    )
    sold = Q(
        product__auction__sale_type="second_chance",
        product__auction__winner=F("bidder"),
        product__auction__hammer_price=F("amount"),
    )
    for pk in _keys(offers.filter(gone, status=Status.OFFERED)):
        yield f"second chance {pk}: open, and the product is not available"
    for pk in _keys(offers.filter(~sold, ~Exists(later), status=Status.ACCEPTED)):
        yield f"second chance {pk}: accepted, and the product is not sold by it"


@invariant(8, "only unsold products are relisted", over=Product)
def check_relistings(batch: Batch) -> Iterable[str]:
    """Check that the old product is unsold, of the same seller, and names the new one in its log."""
    unsold = Q(relisted_from__auction__status=Auction.Status.UNSOLD) | Q(
        relisted_from__auction__payment_defaulted_at__isnull=False
    )
    recorded = AuctionEvent.objects.annotate(new=Cast(KT("data__product"), TextField())).filter(
        product=OuterRef("relisted_from"), kind=Kind.RELISTED, new=OuterRef("text")
    )
    relisted = Product.objects.filter(batch.within("pk"), relisted_from__isnull=False)
    wrong = (
        relisted.annotate(text=Cast("pk", TextField()))
        .filter(~Q(unsold, relisted_from__seller=F("seller")) | ~Exists(recorded))
        .order_by("pk")
    )
    for pk, old in wrong.values_list("pk", "relisted_from").iterator():
        yield f"product {pk} relists product {old}, which is not unsold or does not name it"


@invariant(9, "no second chance is overdue")
def check_no_offer_is_overdue() -> Iterable[str]:
    """Find offers that are open 60 s after their end, while a worker is up."""
    due = SecondChanceOffer.objects.due_to_expire(clock.now() - OVERDUE)
    yield from describe(due, "second chance {}: still open, it lapsed at {}", "expires_at")


def _offers(batch: Batch) -> QuerySet[SecondChanceOffer]:
    found: QuerySet[SecondChanceOffer] = SecondChanceOffer.objects.filter(batch.within("product"))
    return found


def _keys(offers: QuerySet[SecondChanceOffer]) -> Any:
    return offers.order_by("pk").values_list("pk", flat=True).iterator()
