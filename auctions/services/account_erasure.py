"""Somebody has their account erased: what keeps them here, and what ends with them (docs/rules.md, Leaving).

What was traded stays as it was, under the account's number: products and their texts, bids, events.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db.models import F, Q

from auctioncraft.core import clock
from auctions.models import Auction, Bid, Product, SecondChanceOffer, Watch
from auctions.services import closing

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from accounts.models import User

# Longer than a seller's acceptance can be under way that was begun in time: a statement ends after 15 s.
SLACK: Final = timedelta(minutes=1)


def lock_rows(*, user: User) -> None:
    """Lock what `leave` changes: the auctions they sell in, then the products they follow, each by primary key."""
    own = _open_auctions(user).select_for_update(no_key=True, of=("self", "product")).select_related("product")
    list(own)
    followed = Product.objects.filter(watches__user=user).order_by("pk")
    list(followed.select_for_update(no_key=True, of=("self",)).values_list("pk"))


def erasure_blockers(*, user: User) -> list[dict[str, Any]]:
    """Return why the account cannot go yet, with the product each is about; called with the account locked.

    One query a reason: two that a close or a sale came between would see neither what was nor what is.
    """
    now = clock.now()
    # By their bids, for leaders have no index.
    led = Auction.objects.filter(leader=user, pk__in=Bid.objects.filter(bidder=user).values("product"))
    may_be_taken = Q(
        result=Auction.Result.RESERVE_NOT_MET,
        closed_at__gt=now - closing.ACCEPT_BELOW_RESERVE_WINDOW - SLACK,
        product__relisting__isnull=True,
    )
    bound = led.filter(Q(status=Auction.Status.OPEN) | may_be_taken)
    offers = SecondChanceOffer.objects.open().filter(Q(bidder=user) | Q(product__seller=user))
    return [
        *_blockers("leading", bound.order_by("pk").values_list("pk", flat=True)),
        *_blockers("has_bids", _open_auctions(user).filter(leader__isnull=False).values_list("pk", flat=True)),
        *_blockers("second_chance", offers.order_by("product").values_list("product", flat=True)),
    ]


def erase_account(*, user: User) -> None:
    """Call off the auctions they sell in, none of which has a bid, and follow nothing any more.

    Their auctions are read again: what they listed a moment ago may not have been locked before.
    """
    for product_id in list(_open_auctions(user).values_list("pk", flat=True)):
        closing.cancel_auction(product_id=product_id, actor=user)
    watches = Watch.objects.filter(user=user)
    followed = list(watches.values_list("product", flat=True))
    watches.delete()
    Product.objects.filter(pk__in=followed).update(watch_count=F("watch_count") - 1)


def _open_auctions(user: User) -> QuerySet[Auction]:
    found: QuerySet[Auction] = Auction.objects.filter(product__seller=user, status=Auction.Status.OPEN).order_by("pk")
    return found


def _blockers(reason: str, products: Any) -> list[dict[str, Any]]:
    return [{"reason": reason, "product": product} for product in products]
