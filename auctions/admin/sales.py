"""Auctions and second-chance offers in the admin."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.contrib import admin
from django.utils.formats import localize
from django.utils.timezone import localtime

from auctioncraft.admin import ReadOnlyAdmin, amount_column
from auctioncraft.admin_confirmation import confirmed_action
from auctioncraft.core import clock, money
from auctions.admin.columns import SuperuserOnlyFields
from auctions.models import Auction, SecondChanceOffer
from auctions.services import closing, second_chance

if TYPE_CHECKING:
    from django.http import HttpRequest

    from accounts.models import User


@admin.register(Auction)
class AuctionAdmin(SuperuserOnlyFields, ReadOnlyAdmin):
    """Auctions, read-only. Each action asks for a reason and calls a service for one after the other."""

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

    @confirmed_action(
        "Close now",
        "The auction ends now. With the reserve met it is sold at its current price, and the winner must pay.",
        permissions=["act"],
    )
    def close_now(self, actor: User, auction: Auction, *, reason: str) -> str:
        """Close the selected auctions with their current result."""
        return f"{closing.close_auction(product_id=auction.pk, actor=actor, reason=reason).result}."

    @confirmed_action(
        "Cancel: no winner",
        "The auction ends now. Nobody wins, and no bid counts.",
        permissions=["act"],
    )
    def cancel(self, actor: User, auction: Auction, *, reason: str) -> str:
        """Cancel the selected auctions."""
        closing.cancel_auction(product_id=auction.pk, actor=actor, reason=reason)
        return "cancelled."

    @confirmed_action("Extend by an hour", "Everybody can bid for an hour longer.", permissions=["act"])
    def extend_by_an_hour(self, actor: User, auction: Auction, *, reason: str) -> str:
        """Extend the selected auctions."""
        return _extend(auction, timedelta(hours=1), actor=actor, reason=reason)

    @confirmed_action("Extend by a day", "Everybody can bid for a day longer.", permissions=["act"])
    def extend_by_a_day(self, actor: User, auction: Auction, *, reason: str) -> str:
        """Extend the selected auctions."""
        return _extend(auction, timedelta(days=1), actor=actor, reason=reason)

    @confirmed_action(
        "Offer to the next bidder (second chance)",
        "The next bidder can accept within 24 hours and must pay then.",
        permissions=["offer"],
    )
    def offer_second_chance(self, actor: User, auction: Auction, *, reason: str) -> str:
        """Offer each unpaid product to the next bidder."""
        made = second_chance.offer(product_id=auction.pk, actor=actor, reason=reason)
        currency = made.product.currency
        return f"offered to {made.bidder} at {money.to_text(made.amount, currency)} {currency}."

    def name_row(self, row: Auction) -> str:
        """Return the product's number."""
        return f"Product {row.pk}"

    def describe_row(self, row: Auction) -> str:
        """Return the product, and the price that is shown to everybody."""
        return f"{self.name_row(row)}: {row.product}, {self.shown_price(row)}"


def _extend(auction: Auction, by: timedelta, *, actor: User, reason: str) -> str:
    # If an auction ended during an outage, bidders get all of the added time.
    ends_at = max(auction.ends_at, clock.now()) + by
    extended = closing.extend_auction(product_id=auction.pk, actor=actor, ends_at=ends_at, reason=reason)
    return f"ends {localize(localtime(extended.ends_at))}."


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
