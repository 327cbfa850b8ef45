"""Payouts and sellers' accounts at Stripe."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from django.contrib import admin
from django.http import HttpResponse
from unfold.admin import TabularInline

from auctioncraft.admin import ReadOnlyAdmin, ReadOnlyMixin, run_actions
from auctioncraft.core import money
from payments.models import Payout, SellerAccount, TransferReversal
from payments.services import payout_report, payouts

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest


class ReversalInline(ReadOnlyMixin, TabularInline):  # type: ignore[misc]
    """The reversals on the page of a payout."""

    model = TransferReversal
    extra = 0
    fields = ("stripe_reversal_id", "amount", "attempts", "next_attempt_at", "last_error", "created_at", "completed_at")

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
    actions = ("mark_paid", "download")
    inlines = (ReversalInline,)

    @admin.display(description="amount due")
    def due(self, payout: Payout) -> str:
        """Show the amount still to pay; negative if the seller owes it."""
        return f"{money.to_text(payout.owed, payout.currency)} {payout.currency}"

    @admin.action(description="Mark as paid manually", permissions=["act"])
    def mark_paid(self, request: HttpRequest, selected: QuerySet[Payout]) -> None:
        """Record that the selected payouts were paid outside Stripe."""

        def pay(payout: Payout) -> str:
            paid = payouts.mark_paid_by_hand(payout_id=payout.pk, actor=request.user)  # type: ignore[arg-type]
            return f"{money.to_text(paid.transferred, paid.currency)} {paid.currency} paid to the seller."

        run_actions(self, request, ((f"Payout {payout.pk}", partial(pay, payout)) for payout in selected))

    @admin.action(description="Download as CSV", permissions=["view"])
    def download(self, request: HttpRequest, selected: QuerySet[Payout]) -> HttpResponse:  # noqa: ARG002 (the admin's signature)
        """Return the payout report of the selected payouts."""
        response = HttpResponse(
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": 'attachment; filename="payouts.csv"'},
        )
        payout_report.write(payouts=selected, file=response)
        return response


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
