"""List an unsold product again: as a new product that refers to the old one. Bids stay with the old one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction

from auctioncraft.core.errors import PermissionDenied
from auctions.errors import NotRelistable
from auctions.models import AuctionEvent, Product, SecondChanceOffer
from auctions.product_fields import RELISTED
from auctions.services import closing, event_log, images, listing, second_chance
from auctions.services.locking import lock_or_404

if TYPE_CHECKING:
    from accounts.models import User


def relist(*, product_id: int, actor: User, changes: dict[str, Any]) -> Product:
    """List an unsold product again, as its seller; return the new product.

    It has the values of the old one except for `changes` (fields of auctions/product_fields.py), starts now, and runs
    as long. Today's rules apply. Unsold: there was no buyer, or the buyer did not pay. Raises NotFound,
    PermissionDenied, NotRelistable, Invalid.
    """
    with transaction.atomic():
        auction, now = lock_or_404(product_id)
        old = auction.product
        if actor.pk != old.seller_id:
            raise PermissionDenied
        on_offer = SecondChanceOffer.objects.open().filter(product=old).exists()
        if not auction.is_unsold or on_offer or closing.was_relisted(old):
            raise NotRelistable
        fields = {name: getattr(old, name) for name in ("format", *RELISTED)} | changes
        if fields.get("ends_at") is None:
            duration = min(auction.ends_at - auction.starts_at, listing.MAX_DURATION)
            fields["ends_at"] = (fields.get("starts_at") or now) + duration
        defaulters = sorted({*old.defaulters, *second_chance.list_defaulters(old.pk)})
        new = listing.create_product(seller=actor, relisted_from=old, defaulters=defaulters, **fields)
        images.copy_images(source=old, target=new)
        event_log.record(auction, AuctionEvent.Kind.RELISTED, now, {"product": new.pk})
    return new
