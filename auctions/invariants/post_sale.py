"""What must be true of what becomes of a sale: second chances, and what was listed again (8, and 9 for its sweep)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.db.models import Exists, F, Max, OuterRef, Q, Subquery, TextField
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Coalesce

from auctioncraft.core import clock
from auctions.invariants.results import OVERDUE
from auctions.models import Auction, AuctionEvent, Bid, Product, SecondChanceOffer
from auctions.services.second_chance import OFFER_LIFETIME

if TYPE_CHECKING:
    from django.db.models import QuerySet

Kind = AuctionEvent.Kind
Status = SecondChanceOffer.Status
_ANSWERS: Final = {
    Status.ACCEPTED: Kind.SECOND_CHANCE_ACCEPTED,
    Status.DECLINED: Kind.SECOND_CHANCE_DECLINED,
    Status.LAPSED: Kind.SECOND_CHANCE_LAPSED,
}


def offers_are_at_the_bidders_own_price() -> list[str]:
    """8 and docs/rules.md, After the sale: offered is the bidder's own highest amount, never to the seller."""
    own = (
        Bid.objects.valid()
        .made_by_people()
        .filter(product=OuterRef("product"), bidder=OuterRef("bidder"))
        .order_by()
        .values("product")
        .values(highest=Max(Coalesce("max_amount", "amount")))
    )
    wrong = SecondChanceOffer.objects.annotate(highest=Subquery(own)).exclude(
        ~Q(bidder=F("product__seller")), amount=F("highest")
    )
    return [
        f"second chance {pk} of product {product}: {amount} to a bidder who went to {highest}"
        for pk, product, amount, highest in wrong.order_by("pk").values_list("pk", "product", "amount", "highest")
    ]


def offers_last_a_day() -> list[str]:
    """8: an offer lasts 24 hours; taken or declined is it within them, and it lapses after."""
    within = Q(status__in=(Status.ACCEPTED, Status.DECLINED), answered_at__lt=F("expires_at"))
    good = Q(status=Status.OFFERED) | within | Q(status=Status.LAPSED, answered_at__gte=F("expires_at"))
    timed = SecondChanceOffer.objects.filter(good, expires_at=F("offered_at") + OFFER_LIFETIME)
    wrong = SecondChanceOffer.objects.exclude(pk__in=timed.values("pk")).order_by("pk")
    return [f"second chance {pk} of product {p}: not its time" for pk, p in wrong.values_list("pk", "product")]


def offers_are_in_the_log() -> list[str]:
    """8: each offer and each answer is one event of that moment, and each such event one of them."""
    kinds = (Kind.SECOND_CHANCE_OFFERED, *_ANSWERS.values())
    # Few: each is of a sale that fell through.
    events = AuctionEvent.objects.filter(kind__in=kinds).values_list("product_id", "kind", "created_at")
    made, told = set(), set(events.order_by())
    offers = SecondChanceOffer.objects.values_list("product_id", "status", "offered_at", "answered_at")
    for product, status, offered_at, answered_at in offers.order_by():
        made.add((product, str(Kind.SECOND_CHANCE_OFFERED), offered_at))
        if answered_at is not None:
            made.add((product, str(_ANSWERS[Status(status)]), answered_at))
    return [f"product {product}: no {kind} at {at}" for product, kind, at in sorted(made - told)] + [
        f"product {product}: {kind} at {at} of no second chance" for product, kind, at in sorted(told - made)
    ]


def offers_follow_a_sale_that_fell_through() -> list[str]:
    """8: what is on offer has fallen through and is not listed again; what was taken is sold by it, until the next."""
    offers = SecondChanceOffer.objects.all()
    gone = Q(product__auction__payment_defaulted_at__isnull=True) | Q(product__relisting__isnull=False)
    later = offers.filter(product=OuterRef("product"), status=Status.ACCEPTED, answered_at__gt=OuterRef("answered_at"))
    sold = Q(
        product__auction__sale_type="second_chance",
        product__auction__winner=F("bidder"),
        product__auction__hammer_price=F("amount"),
    )
    idle = offers.open().filter(gone)
    untaken = offers.filter(~sold, ~Exists(later), status=Status.ACCEPTED)
    return [f"second chance {pk}: open, and there is nothing to have" for pk in _keys(idle)] + [
        f"second chance {pk}: accepted, and the product is not sold by it" for pk in _keys(untaken)
    ]


def relistings_are_of_the_unsold() -> list[str]:
    """8 and docs/rules.md, After the sale: what was listed again is unsold, its seller's, and its log names the new."""
    unsold = Q(relisted_from__auction__status=Auction.Status.UNSOLD) | Q(
        relisted_from__auction__payment_defaulted_at__isnull=False
    )
    told = AuctionEvent.objects.annotate(new=Cast(KT("data__product"), TextField())).filter(
        product=OuterRef("relisted_from"), kind=Kind.RELISTED, new=OuterRef("text")
    )
    again = Product.objects.filter(relisted_from__isnull=False).annotate(text=Cast("pk", TextField()))
    wrong = again.filter(~Q(unsold, relisted_from__seller=F("seller")) | ~Exists(told))
    return [
        f"product {pk} is product {old} listed again, which is not unsold or does not say so"
        for pk, old in wrong.order_by("pk").values_list("pk", "relisted_from")
    ]


def none_waits_beyond_its_time() -> list[str]:
    """9: no second chance is open 60 s after its time (while a worker is up)."""
    waiting = SecondChanceOffer.objects.due_to_expire(clock.now() - OVERDUE).values_list("pk", "expires_at")
    return [f"second chance {pk}: still open, it lapsed at {expires_at}" for pk, expires_at in waiting]


def _keys(offers: QuerySet[SecondChanceOffer]) -> Any:
    return offers.order_by("pk").values_list("pk", flat=True)
