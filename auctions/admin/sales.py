"""Auctions and second-chance offers in the admin."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.utils.formats import localize
from django.utils.timezone import localtime

from auctioncraft.admin import ReadOnlyAdmin, amount_column, run_actions
from auctioncraft.core import clock, money
from auctions.admin.columns import SuperuserOnlyFields
from auctions.models import Auction, SecondChanceOffer
from auctions.services import closing, second_chance

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.db.models import QuerySet
    from django.http import HttpRequest


@admin.register(Auction)
class AuctionAdmin(SuperuserOnlyFields, ReadOnlyAdmin):
    """Auctions, read-only. Each action calls a service for one auction after the other."""

    superuser_only = ("shown_leader_max",)
    list_display = (
        "product",
        "status",
        "result",
        "sale_type",
        "shown_price",
        "leader",
        "bid_count",
        "starts_at",
        "ends_at",
    )
    list_filter = (
        *("status", "result", "sale_type"),
        *(("paid_at", admin.EmptyFieldListFilter), ("payment_defaulted_at", admin.EmptyFieldListFilter), "ends_at"),
    )
    list_select_related = ("product", "leader")
    search_fields = ("=product__id", "product__name", "leader__email", "winner__email")
    ordering = ("-product",)
    actions = ("close_now", "cancel", "extend_by_an_hour", "extend_by_a_day", "offer_second_chance")
    fields = (
        *("product", "status", "shown_price", "leader", "shown_leader_max", "bid_count", "seq", "version"),
        *("starts_at", "ends_at", "hard_ends_at", "last_bid_at"),
        *("result", "sale_type", "winner", "shown_hammer_price", "closed_at", "paid_at", "payment_defaulted_at"),
    )
    shown_price = amount_column("price", "product.currency")
    shown_leader_max = amount_column("leader_max", "product.currency")
    shown_hammer_price = amount_column("hammer_price", "product.currency")

    def has_offer_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("auctions.add_secondchanceoffer")

    @admin.action(description="Close now", permissions=["act"])
    def close_now(self, request: HttpRequest, auctions: QuerySet[Auction]) -> None:
        self._each(request, auctions, lambda **auction: f"{closing.close_auction(**auction).result}.")

    @admin.action(description="Cancel: no winner", permissions=["act"])
    def cancel(self, request: HttpRequest, auctions: QuerySet[Auction]) -> None:
        self._each(request, auctions, lambda **auction: f"{closing.cancel_auction(**auction).result}.")

    @admin.action(description="Extend by an hour", permissions=["act"])
    def extend_by_an_hour(self, request: HttpRequest, auctions: QuerySet[Auction]) -> None:
        self._extend(request, auctions, timedelta(hours=1))

    @admin.action(description="Extend by a day", permissions=["act"])
    def extend_by_a_day(self, request: HttpRequest, auctions: QuerySet[Auction]) -> None:
        self._extend(request, auctions, timedelta(days=1))

    @admin.action(description="Offer to the next bidder (second chance)", permissions=["offer"])
    def offer_second_chance(self, request: HttpRequest, auctions: QuerySet[Auction]) -> None:
        """Offer each unpaid product to the next-highest bidder."""

        def offer(**auction: Any) -> str:
            made = second_chance.offer(**auction)
            currency = made.product.currency
            return f"offered to {made.bidder} at {money.to_text(made.amount, currency)} {currency}."

        self._each(request, auctions, offer)

    def _extend(self, request: HttpRequest, auctions: QuerySet[Auction], by: timedelta) -> None:
        ends = dict(auctions.values_list("pk", "ends_at"))

        def extend(*, product_id: int, actor: Any) -> str:
            # If an auction ended during an outage, bidders get all of the added time.
            ends_at = max(ends[product_id], clock.now()) + by
            auction = closing.extend_auction(product_id=product_id, actor=actor, ends_at=ends_at)
            return f"ends {localize(localtime(auction.ends_at))}."

        self._each(request, auctions, extend)

    def _each(self, request: HttpRequest, auctions: QuerySet[Auction], act: Callable[..., str]) -> None:
        ids = list(auctions.values_list("pk", flat=True))
        run_actions(self, request, ((f"Product {pk}", partial(act, product_id=pk, actor=request.user)) for pk in ids))


@admin.register(SecondChanceOffer)
class SecondChanceOfferAdmin(ReadOnlyAdmin):
    """Second-chance offers, read-only."""

    list_display = ("id", "product", "bidder", "shown_amount", "status", "offered_at", "expires_at", "answered_at")
    list_filter = ("status", "offered_at")
    list_select_related = ("product", "bidder")
    search_fields = ("=id", "=product__id", "product__name", "bidder__email")
    ordering = ("-id",)
    fields = list_display
    shown_amount = amount_column("amount", "product.currency")
