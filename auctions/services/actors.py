"""Who may act on an auction, and what its log says of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from accounts.services import staff_actions
from auctions.models import Auction, Bid, Product

if TYPE_CHECKING:
    from accounts.models import User


def role_in(actor: User, product: Product) -> str:
    """Return whether `actor` acts as the product's seller or as staff. Raises as check_staff for others."""
    if actor.pk == product.seller_id:
        return "seller"
    check_staff(actor, product)
    return "staff"


def check_staff(actor: User, product: Product) -> None:
    """Check that `actor` is staff, and neither sells the product nor ever bid on it or bought it.

    Raises PermissionDenied, ConflictOfInterest.
    """
    parties = {product.seller_id, product.auction.winner_id}
    has_bid = Bid.objects.filter(product=product, bidder=actor).exists()
    staff_actions.check_actor(actor=actor, takes_part=has_bid or actor.pk in parties)


def check_shares_no_auction(*, actor: User, user: User) -> None:
    """Check that no open auction has both as seller or bidder. Raises ConflictOfInterest."""
    bid_on = Bid.objects.filter(bidder=actor).values("product")
    of_actor = {
        *Auction.objects.filter(status=Auction.Status.OPEN, pk__in=bid_on).values_list("pk", flat=True),
        *Auction.objects.filter(status=Auction.Status.OPEN, product__seller=actor).values_list("pk", flat=True),
    }
    sold = Product.objects.filter(pk__in=of_actor, seller=user).exists()
    staff_actions.check_actor(
        actor=actor, takes_part=sold or Bid.objects.filter(product__in=of_actor, bidder=user).exists()
    )


def sign(actor: User, reason: str) -> dict[str, Any]:
    """Return the private part of an event that says who acted, and why if a reason was given."""
    return {"actor": actor.pk, "reason": reason} if reason else {"actor": actor.pk}
