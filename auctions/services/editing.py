"""Edit and delete products: everything until the first bid, next to nothing afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction

from accounts.models import StaffAction
from accounts.services import staff_actions
from auctioncraft.core.clock import isoformat_utc
from auctioncraft.core.errors import Invalid
from auctions.errors import AuctionAlreadyClosed, AuctionHasBids, TermsFixed
from auctions.models import Auction, AuctionEvent, Bid, EventOutbox, Product
from auctions.product_fields import AMOUNTS, COLUMNS, FIELDS, TIMES
from auctions.services import event_log, images, listing
from auctions.services.actors import role_in
from auctions.services.closing import check_changeable, has_ever_had_bids
from auctions.services.locking import lock_or_404

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from accounts.models import User


def edit_product(*, product_id: int, actor: User, changes: dict[str, Any]) -> Product:
    """Change fields of a product (auctions/product_fields.py), as its seller or staff.

    Until the start every field can change; then, until the first bid, all but what TermsFixed names; afterwards only
    text can be added to the description, which is dated and of which all bidders are notified (docs/rules.md).
    None removes an optional amount; for other fields it means no change. Records one event. Raises NotFound,
    PermissionDenied, AuctionAlreadyClosed, AuctionHasBids, TermsFixed, Invalid.
    """
    with transaction.atomic():
        auction, now = lock_or_404(product_id)
        product = auction.product
        check_changeable(auction, actor, now)
        changes = _effective_changes(auction, changes)
        if not changes:
            return product
        appended = has_ever_had_bids(product_id)
        if appended:
            _check_only_appended(product, changes)
            added = changes.get("description", product.description)[len(product.description) :].strip()
            product.description_additions.append({"text": added, "added_at": isoformat_utc(now)})
        started_at, moved_from = auction.starts_at, auction.ends_at
        currency, shipping = product.currency, product.shipping
        _apply(auction, changes, now)
        if started_at <= now:
            _check_terms_kept(auction, now, currency=currency, shipping=shipping)
        moved = {}
        if "ends_at" in changes:
            moved = {"from": isoformat_utc(moved_from), "ends_at": isoformat_utc(auction.ends_at)}
        # Not all columns: watch_count and thumbnail change under other locks than the auction's.
        product.save(update_fields=(*COLUMNS, "increments", "description_additions"))
        fields = sorted(FIELDS[name].public_name for name in changes)
        private: dict[str, Any] = {"editor": actor.pk}
        if appended:  # of which they are notified
            bids = Bid.objects.made_by_people().valid().filter(product_id=product_id).order_by("bidder_id")
            private["bidders"] = list(bids.values_list("bidder_id", flat=True).distinct())
        event_log.record(auction, AuctionEvent.Kind.EDITED, now, {"fields": fields, **moved}, **private)
    return product


def delete_product(*, product_id: int, actor: User, reason: str = "") -> None:
    """Delete a product with its auction and images, as its seller or staff, before the first bid.

    Staff give a reason, which is recorded: the product's own log goes with it. Raises NotFound, PermissionDenied,
    ConflictOfInterest, Invalid, AuctionHasBids, and AuctionAlreadyClosed if it was bought.
    """
    with transaction.atomic():
        auction, _ = lock_or_404(product_id)
        by = role_in(actor, auction.product)
        if has_ever_had_bids(product_id):
            raise AuctionHasBids
        if auction.status == Auction.Status.SOLD:
            raise AuctionAlreadyClosed
        if by == "staff":
            staff_actions.record(
                actor=actor, action=StaffAction.Action.PRODUCT_DELETED, reason=reason, target=f"product {product_id}"
            )
        # First: this waits for a worker that is writing notifications of these events, and none can come later.
        EventOutbox.objects.filter(product_id=product_id).delete()
        AuctionEvent.objects.filter(product_id=product_id).delete()
        # Watching takes this lock: no row that refers to the product can come later.
        Product.objects.select_for_update().get(pk=product_id)
        images.delete_product_files(product=auction.product)
        auction.product.delete()


def _effective_changes(auction: Auction, changes: dict[str, Any]) -> dict[str, Any]:
    """Return the changes that differ from the current values."""
    product = auction.product
    return {
        name: value
        for name, value in changes.items()
        if value != getattr(auction if name in TIMES else product, name)
        and (value is not None or FIELDS[name].removable)
    }


def _check_only_appended(product: Product, changes: dict[str, Any]) -> None:
    for name, value in changes.items():
        if not (FIELDS[name].append_with_bids and value.startswith(getattr(product, name))):
            raise AuctionHasBids("This product has bids. You can only add text to the end of its description.")


def _check_terms_kept(auction: Auction, now: datetime, *, currency: str, shipping: Decimal) -> None:
    """Check that a buyer who has seen the running auction pays no more than they saw. Raises TermsFixed.

    A later start would allow everything again. Prices may change: a bid and a purchase name what they accept.
    """
    product = auction.product
    if product.currency != currency or product.shipping > shipping or auction.starts_at > now:
        raise TermsFixed


def _apply(auction: Auction, changes: dict[str, Any], now: datetime) -> None:
    product = auction.product
    for name in changes.keys() & set(COLUMNS):
        setattr(product, name, changes[name])
    if "category_id" in changes:
        listing.check_category(product.category_id)
    if changes.keys() & {"currency", *AMOUNTS}:
        amounts = {name: getattr(product, name) for name in AMOUNTS}
        for name, amount in listing.check_amounts(product.currency, product.premium_bands, **amounts).items():
            setattr(product, name, amount)
    if changes.keys() & {"currency", "bid_increment"}:
        product.increments = listing.increment_table(product.currency, product.bid_increment)
    if changes.keys() & set(TIMES):
        _move(auction, changes, now)


def _move(auction: Auction, changes: dict[str, Any], now: datetime) -> None:
    starts_at, ends_at = changes.get("starts_at", auction.starts_at), changes.get("ends_at", auction.ends_at)
    if "starts_at" in changes:
        starts_at, ends_at = listing.check_times(now, starts_at, ends_at)
    elif ends_at <= now:
        raise Invalid(ends_at="This time is in the past.")
    else:
        listing.check_end(now, starts_at, ends_at)
    # The hard end keeps its distance from the end.
    auction.hard_ends_at += ends_at - auction.ends_at
    auction.starts_at, auction.ends_at = starts_at, ends_at
