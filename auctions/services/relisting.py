"""Listing an unsold product again: a new product that names the old one; bids never move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.db import transaction

from auctioncraft.core.errors import PermissionDenied
from auctions.errors import NotRelistable
from auctions.models import AuctionEvent, Product, SecondChanceOffer
from auctions.services import closing, event_log, images, listing
from auctions.services.locking import lock_or_404

if TYPE_CHECKING:
    from accounts.models import User

_KEPT: Final = (
    *("name", "description", "category_id", "currency", *listing.AMOUNTS),
    *("soft_close_window", "soft_close_extension"),
)


def relist(*, product_id: int, actor: User, changes: dict[str, Any]) -> Product:
    """List an unsold product again and return the new one; its seller.

    It is listed under today's rules as the old one was, but for `changes` (named as create_product names them): from
    now on, for as long. Unsold is what found no buyer, or whose buyer did not pay. Raises NotFound, PermissionDenied,
    NotRelistable, Invalid.
    """
    with transaction.atomic():
        auction, now = lock_or_404(product_id)
        old = auction.product
        if actor.pk != old.seller_id:
            raise PermissionDenied
        on_offer = SecondChanceOffer.objects.open().filter(product=old).exists()
        if not auction.is_unsold or on_offer or closing.was_relisted(old):
            raise NotRelistable
        fields = {name: getattr(old, name) for name in _KEPT} | changes
        if fields.get("ends_at") is None:
            lasted = min(auction.ends_at - auction.starts_at, listing.MAX_DURATION)
            fields["ends_at"] = (fields.get("starts_at") or now) + lasted
        new = listing.create_product(seller=actor, relisted_from=old, **fields)
        images.copy_images(source=old, target=new)
        event_log.record(auction=auction, kind=AuctionEvent.Kind.RELISTED, at=now, data={"product": new.pk}, private={})
        auction.save(update_fields=("seq", "version"))
    return new
