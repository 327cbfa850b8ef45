"""Bids in the admin, and voiding them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin

from auctioncraft.admin import ReadOnlyAdmin, amount_column
from auctioncraft.admin_confirmation import ReasonForm, confirmed_action
from auctioncraft.core import money
from auctioncraft.core.errors import NotFound
from auctions.admin.columns import SuperuserOnlyFields
from auctions.models import Bid, BidVoid
from auctions.services import voiding

if TYPE_CHECKING:
    from django.http import HttpRequest

    from accounts.models import User


class VoidForm(ReasonForm):
    """The reason for voiding bids."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.fields["reason"].help_text = "Everyone affected will read it."


@admin.register(Bid)
class BidAdmin(SuperuserOnlyFields, ReadOnlyAdmin):
    """Bids, the latest first. The amounts as sent can be hidden maxima; the displayed amount is public."""

    superuser_only = ("shown_amount", "shown_max_amount")
    list_display = ("id", "product", "bidder", "shown_displayed_amount", "outcome", "is_void", "placed_at")
    list_filter = ("outcome", ("void", admin.EmptyFieldListFilter))
    list_select_related = ("product", "bidder", "void")
    search_fields = ("=id", "=product__id", "bidder__email")
    ordering = ("-id",)
    actions = ("void",)
    fields = (
        *("id", "product", "version", "position", "seq", "bidder", "shown_displayed_amount", "shown_amount"),
        *("shown_max_amount", "outcome", "placed_at", "is_void"),
    )
    shown_displayed_amount = amount_column("displayed_amount", "product.currency")
    shown_amount = amount_column("amount", "product.currency")
    shown_max_amount = amount_column("max_amount", "product.currency")

    @admin.display(description="void", boolean=True)
    def is_void(self, bid: Bid) -> bool:
        return hasattr(bid, "void")

    def has_void_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("auctions.add_bidvoid")

    @confirmed_action(
        "Void, with a reason",
        "A voided bid stays on record but no longer counts: the price is recomputed without it. This cannot be undone.",
        permissions=["void"],
        form=VoidForm,
        order_by=("product_id", "version"),
    )
    def void(self, actor: User, bid: Bid, *, reason: str) -> str:
        """Void the selected bids in their order, each in its own transaction."""
        return _void(bid, actor=actor, reason=reason)

    def describe_row(self, row: Bid) -> str:
        """Return who bid on what, and the price that everybody saw."""
        return f"{row.bidder}: {self.shown_displayed_amount(row)} on {row.product}"


def _void(bid: Bid, *, actor: User, reason: str) -> str:
    try:
        auction = voiding.void_bid(product_id=bid.product_id, bid_id=bid.pk, actor=actor, reason=reason)
    except NotFound as refusal:
        raise NotFound("A proxy placed this bid. Void the bid that its bidder placed.") from refusal
    if auction.price is None:
        return f"void. Product {auction.product_id} has no bids now."
    currency = auction.product.currency
    price = money.to_text(auction.price, currency)
    return f"void. The price of product {auction.product_id} is now {price} {currency}."


@admin.register(BidVoid)
class BidVoidAdmin(ReadOnlyAdmin):
    """Voided bids, with the reason and who voided them."""

    list_display = ("bid", "product", "reason", "voided_by", "voided_at")
    list_filter = ("voided_at",)
    list_select_related = ("bid", "product", "voided_by")
    search_fields = ("=bid__id", "=product__id", "reason", "voided_by__email")
    ordering = ("-voided_at",)
    fields = ("bid", "product", "version", "reason", "voided_by", "voided_at")
