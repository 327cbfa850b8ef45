"""Bids in the admin, and voiding them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.template.response import TemplateResponse
from unfold.widgets import UnfoldAdminTextareaWidget

from auctioncraft.admin import ReadOnlyAdmin, amount_column, run_actions
from auctioncraft.core import money
from auctioncraft.core.errors import NotFound
from auctions.admin.columns import SuperuserOnlyFields
from auctions.models import Bid, BidVoid
from auctions.services import voiding

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest


class VoidForm(forms.Form):
    """The reason for voiding bids."""

    reason = forms.CharField(
        max_length=BidVoid._meta.get_field("reason").max_length,  # noqa: SLF001 (Django's own door)
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        help_text="Everyone affected will read it.",
    )


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

    @admin.action(description="Void, with a reason", permissions=["void"])
    def void(self, request: HttpRequest, bids: QuerySet[Bid]) -> TemplateResponse | None:
        """Ask for a reason, then void the selected bids in their order, each in its own transaction."""
        # Only the page that asks for the reason sends `confirmed`.
        form = VoidForm(request.POST if "confirmed" in request.POST else None)
        chosen = list(bids.select_related("product", "bidder").order_by("product_id", "version"))
        if not form.is_valid():
            return self._ask(request, form, chosen)
        reason = form.cleaned_data["reason"]
        run_actions(
            self, request, ((f"Bid {bid.pk}", partial(_void, bid, actor=request.user, reason=reason)) for bid in chosen)
        )
        return None

    def _ask(self, request: HttpRequest, form: VoidForm, bids: list[Bid]) -> TemplateResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": "Void bids",
            "opts": self.opts,
            "media": self.media,
            "form": form,
            "rows": [(bid.pk, bid.product, bid.bidder, self.shown_displayed_amount(bid)) for bid in bids],
            "action_checkbox_name": ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "admin/auctions/void_bids.html", context)


def _void(bid: Bid, *, actor: Any, reason: str) -> str:
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
