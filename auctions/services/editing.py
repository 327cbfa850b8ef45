"""Changing and withdrawing what was listed: everything while nobody has bid, next to nothing afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.db import transaction

from auctioncraft.core.clock import isoformat_utc
from auctioncraft.core.errors import Invalid
from auctions.errors import AuctionAlreadyClosed, AuctionHasBids
from auctions.models import Auction, AuctionEvent, EventOutbox, Product
from auctions.services import event_log, images, listing
from auctions.services.closing import check_changeable, has_ever_had_bids, role_in
from auctions.services.locking import lock_or_404

if TYPE_CHECKING:
    from datetime import datetime

    from accounts.models import User

_PLAIN: Final = ("name", "description", "category_id", "currency", "soft_close_window", "soft_close_extension")
_TIMES: Final = ("starts_at", "ends_at")


def edit_product(*, product_id: int, actor: User, changes: dict[str, Any]) -> Product:
    """Change what is given of a product, named as create_product names it; its seller or staff.

    While nobody has bid, everything; afterwards the description may grow at its end, and all else is AuctionHasBids
    (docs/rules.md, Changing a product). An amount of None takes it away, any other None leaves things as they are. A
    change is one event. Raises NotFound, PermissionDenied, AuctionAlreadyClosed, AuctionHasBids, Invalid.
    """
    with transaction.atomic():
        auction, now = lock_or_404(product_id)
        product = auction.product
        check_changeable(auction, actor, now)
        wanted = _wanted(auction, changes)
        if not wanted:
            return product
        if has_ever_had_bids(product_id):
            _check_only_appended(product, wanted)
        moved_from = auction.ends_at
        _apply(auction, wanted, now)
        moved = {}
        if "ends_at" in wanted:
            moved = {"from": isoformat_utc(moved_from), "ends_at": isoformat_utc(auction.ends_at)}
        fields = sorted(name.removesuffix("_id") for name in wanted)
        event_log.record(
            auction=auction,
            kind=AuctionEvent.Kind.EDITED,
            at=now,
            data={"fields": fields, **moved},
            private={"editor": actor.pk},
        )
        # Not all of it: followers are counted, and pictures hung, under other locks than the auction's.
        product.save(update_fields=(*_PLAIN, *listing.AMOUNTS, "increments"))
        auction.save()
    return product


def delete_product(*, product_id: int, actor: User) -> None:
    """Withdraw a product and everything about it, pictures included; its seller or staff, while nobody has bid.

    Raises NotFound, PermissionDenied, AuctionHasBids, and AuctionAlreadyClosed if somebody bought it.
    """
    with transaction.atomic():
        auction, _ = lock_or_404(product_id)
        role_in(actor, auction.product)
        if has_ever_had_bids(product_id):
            raise AuctionHasBids
        if auction.status == Auction.Status.SOLD:
            raise AuctionAlreadyClosed
        # First, for a worker that is writing notices of these events holds them: no notice comes after we have looked.
        EventOutbox.objects.filter(product_id=product_id).delete()
        AuctionEvent.objects.filter(product_id=product_id).delete()
        # Followers come under the product's lock: none after theirs were looked for.
        Product.objects.select_for_update().get(pk=product_id)
        images.delete_product_files(product=auction.product)
        auction.product.delete()


def _wanted(auction: Auction, changes: dict[str, Any]) -> dict[str, Any]:
    """Return what really changes."""
    product = auction.product
    wanted: dict[str, Any] = {}
    for name, value in changes.items():
        stands = getattr(auction if name in _TIMES else product, name)
        optional = name in listing.AMOUNTS and name not in {"starting_bid", "shipping"}
        if value != stands and (value is not None or optional):
            wanted[name] = value
    return wanted


def _check_only_appended(product: Product, wanted: dict[str, Any]) -> None:
    if wanted.keys() != {"description"} or not wanted["description"].startswith(product.description):
        raise AuctionHasBids("This product has bids: only more text at the end of its description is possible.")


def _apply(auction: Auction, wanted: dict[str, Any], now: datetime) -> None:
    product = auction.product
    for name in _PLAIN:
        setattr(product, name, wanted.get(name, getattr(product, name)))
    if "category_id" in wanted:
        listing.check_category(product.category_id)
    if wanted.keys() & {"currency", *listing.AMOUNTS}:
        amounts = {name: wanted.get(name, getattr(product, name)) for name in listing.AMOUNTS}
        for name, amount in listing.check_amounts(product.currency, **amounts).items():
            setattr(product, name, amount)
    if wanted.keys() & {"currency", "bid_increment"}:
        product.increments = listing.increment_table(product.currency, product.bid_increment)
    if wanted.keys() & set(_TIMES):
        _move(auction, wanted, now)


def _move(auction: Auction, wanted: dict[str, Any], now: datetime) -> None:
    starts_at, ends_at = wanted.get("starts_at", auction.starts_at), wanted.get("ends_at", auction.ends_at)
    if "starts_at" in wanted:
        starts_at, ends_at = listing.check_times(now, starts_at, ends_at)
    elif ends_at <= now:
        raise Invalid(ends_at="It is in the past.")
    else:
        listing.check_end(now, starts_at, ends_at)
    # The soft close keeps the room it was listed with.
    auction.hard_ends_at += ends_at - auction.ends_at
    auction.starts_at, auction.ends_at = starts_at, ends_at
