"""Refunds and disputes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin, messages

from auctioncraft.admin import ReadOnlyAdmin
from payments.models import Dispute, Refund
from payments.services import refunds

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest


@admin.register(Refund)
class RefundAdmin(ReadOnlyAdmin):
    """Refunds. One with status `creating` was not confirmed by Stripe yet; without a next attempt it was given up."""

    list_display = (
        *(
            "id",
            "stripe_refund_id",
            "payment",
            "amount",
            "currency",
            "status",
            "failure_code",
            "reason",
            "requested_by",
        ),
        *("attempts", "next_attempt_at", "last_error", "created_at", "settled_at"),
    )
    list_filter = ("status", ("next_attempt_at", admin.EmptyFieldListFilter), "currency", "created_at")
    list_select_related = ("payment", "requested_by")
    search_fields = ("=id", "stripe_refund_id", "payment__stripe_intent_id", "=payment__order__id")
    date_hierarchy = "created_at"
    actions = ("retry",)
    fields = list_display[1:]
    readonly_fields = fields

    def has_send_permission(self, request: HttpRequest) -> bool:
        """Return whether the user has the permission to change refunds."""
        return request.user.has_perm("payments.change_refund")

    @admin.action(description="Retry now", permissions=["send"])
    def retry(self, request: HttpRequest, selected: QuerySet[Refund]) -> None:
        """Make the selected refunds that Stripe has not confirmed due again, also those given up: a job sends them."""
        ids = list(selected.values_list("pk", flat=True))
        restarted = refunds.restart(refund_ids=ids)
        self.message_user(request, f"Will be sent within a minute: {restarted}.", messages.SUCCESS)
        if unchanged := len(ids) - restarted:
            text = f"Not changed: {unchanged}, confirmed by Stripe or being sent now."
            self.message_user(request, text, messages.WARNING)


@admin.register(Dispute)
class DisputeAdmin(ReadOnlyAdmin):
    """Disputes. Submit evidence in Stripe's dashboard before `evidence_due_at`."""

    list_display = (
        *("stripe_dispute_id", "payment", "amount", "currency", "status", "reason"),
        *("evidence_due_at", "opened_at", "closed_at"),
    )
    list_filter = (("closed_at", admin.EmptyFieldListFilter), "status", "reason", "currency")
    list_select_related = ("payment",)
    search_fields = ("stripe_dispute_id", "payment__stripe_intent_id", "=payment__order__id")
    date_hierarchy = "opened_at"
    fields = list_display
    readonly_fields = fields
