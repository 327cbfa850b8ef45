"""The auctions' part in the deletion of an account (docs/rules.md).

Products with their texts, bids and events remain, under the account's ID.
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

# A seller's acceptance that began in time can still be running, for less than this: a statement ends after 15 s.
SLACK: Final = timedelta(minutes=1)


def lock_rows(*, user: User) -> None:
    """Lock what `erase_account` changes: the user's open auctions, then the watched products, by primary key."""
    own = _open_auctions(user).select_for_update(no_key=True, of=("self", "product")).select_related("product")
    list(own)
    watched = Product.objects.filter(watches__user=user).order_by("pk")
    list(watched.select_for_update(no_key=True, of=("self",)).values_list("pk"))


def erasure_blockers(*, user: User) -> list[dict[str, Any]]:
    """Return why the account cannot be deleted yet, with the product of each reason. The account is locked.

    One query per reason: with two, a close or a sale in between could be missed by both.
    """
    now = clock.now()
    # By the user's bids: `leader` has no index.
    led = Auction.objects.filter(leader=user, pk__in=Bid.objects.filter(bidder=user).values("product"))
    seller_can_accept = Q(
        result=Auction.Result.RESERVE_NOT_MET,
        closed_at__gt=now - closing.ACCEPT_BELOW_RESERVE_WINDOW - SLACK,
        product__relisting__isnull=True,
    )
    bound = led.filter(Q(status=Auction.Status.OPEN) | seller_can_accept)
    offers = SecondChanceOffer.objects.open().filter(Q(bidder=user) | Q(product__seller=user))
    return [
        *_blockers("leading", bound.order_by("pk").values_list("pk", flat=True)),
        *_blockers("has_bids", _open_auctions(user).filter(leader__isnull=False).values_list("pk", flat=True)),
        *_blockers("second_chance", offers.order_by("product").values_list("product", flat=True)),
    ]


def erase_account(*, user: User) -> None:
    """Cancel the user's open auctions, none of which has a bid, and stop watching.

    The auctions are read again: one that was listed a moment ago may not be locked yet.
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
