"""Payouts and sellers' accounts at Stripe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin
from django.http import HttpResponse
from unfold.admin import TabularInline

from auctioncraft.admin import ReadOnlyAdmin, ReadOnlyMixin
from auctioncraft.admin_confirmation import confirmed_action
from auctioncraft.core import money
from payments.models import Payout, SellerAccount, SellerHold, TransferReversal
from payments.services import held_payouts, payout_report, payouts

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest

    from accounts.models import User


class ReversalInline(ReadOnlyMixin, TabularInline):  # type: ignore[misc]
    """The reversals on the page of a payout."""

    model = TransferReversal
    extra = 0
    fields = (
        "stripe_reversal_id",
        "amount",
        "attempts",
        "next_attempt_at",
        "last_error",
        "created_at",
        "completed_at",
        "canceled_at",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[TransferReversal]:
        """Join the payout, which has the currency."""
        reversals: QuerySet[TransferReversal] = super().get_queryset(request).select_related("payout")
        return reversals


@admin.register(Payout)
class PayoutAdmin(ReadOnlyAdmin):
    """Payouts of paid orders. Staff pay those of route `manual` and mark them as paid here."""

    list_display = (
        *("id", "order", "seller", "gross", "fee", "amount", "clawed_back", "transferred", "due", "route", "status"),
        *("blocked_by", "next_attempt_at", "last_error", "created_at", "paid_at"),
    )
    list_filter = ("status", "route", "blocked_by", "currency", "created_at")
    list_select_related = ("order", "seller")
    search_fields = ("=id", "=order__id", "seller__email", "stripe_transfer_id")
    date_hierarchy = "created_at"
    actions = ("mark_paid", "hold", "release", "download")
    inlines = (ReversalInline,)

    @admin.display(description="amount due")
    def due(self, payout: Payout) -> str:
        """Show the amount still to pay; negative if the seller owes it."""
        return f"{money.to_text(payout.owed, payout.currency)} {payout.currency}"

    @confirmed_action(
        "Mark as paid manually",
        "You have paid these sellers the amount due. This cannot be undone. Say how and where to find it.",
        permissions=["act"],
    )
    def mark_paid(self, actor: User, payout: Payout, *, reason: str) -> str:
        """Record that the selected payouts were paid outside Stripe."""
        paid = payouts.mark_paid_by_hand(payout_id=payout.pk, actor=actor, note=reason)
        return f"{money.to_text(paid.transferred, paid.currency)} {paid.currency} paid to the seller."

    @confirmed_action(
        "Hold all payouts to the seller",
        "Nothing is paid to the sellers of these payouts until somebody releases it.",
        permissions=["act"],
    )
    def hold(self, actor: User, payout: Payout, *, reason: str) -> str:
        """Hold the payouts to the sellers of the selected payouts."""
        held_payouts.hold(payout_id=payout.pk, actor=actor, reason=reason)
        return "held, with every other payout to the seller that is not paid yet."

    @confirmed_action(
        "Release all payouts to the seller",
        "What is due to the sellers of these payouts is paid now.",
        permissions=["act"],
    )
    def release(self, actor: User, payout: Payout, *, reason: str) -> str:
        """Release the payouts to the sellers of the selected payouts."""
        held_payouts.release(payout_id=payout.pk, actor=actor, reason=reason)
        return "released, with every other payout to the seller."

    def describe_row(self, row: Payout) -> str:
        """Return the amount due, and to whom."""
        return f"{self.name_row(row)}: {self.due(row)} to {row.seller}"

    @admin.action(description="Download as CSV", permissions=["view"])
    def download(self, request: HttpRequest, selected: QuerySet[Payout]) -> HttpResponse:  # noqa: ARG002 (the admin's signature)
        """Return the payout report of the selected payouts."""
        response = HttpResponse(
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": 'attachment; filename="payouts.csv"'},
        )
        payout_report.write(payouts=selected, file=response)
        return response


@admin.register(SellerHold)
class SellerHoldAdmin(ReadOnlyAdmin):
    """Holds of the payouts to sellers: who held and released them, and why. Hold and release in the list of payouts."""

    list_display = ("id", "seller", "reason", "held_by", "held_at", "release_reason", "released_by", "released_at")
    list_filter = (("released_at", admin.EmptyFieldListFilter), "held_at")
    list_select_related = ("seller", "held_by", "released_by")
    search_fields = ("=id", "seller__email", "reason")
    date_hierarchy = "held_at"


@admin.register(SellerAccount)
class SellerAccountAdmin(ReadOnlyAdmin):
    """Sellers' connected accounts, as last reported by Stripe."""

    list_display = (
        *("id", "user", "stripe_account_id", "details_submitted", "charges_enabled", "payouts_enabled"),
        *("transfers_active", "disabled_reason", "updated_at"),
    )
    list_filter = ("payouts_enabled", "transfers_active", "details_submitted", "disabled_reason")
    list_select_related = ("user",)
    search_fields = ("=id", "user__email", "stripe_account_id")
