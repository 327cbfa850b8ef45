"""Refunds and disputes."""

from __future__ import annotations

from django.contrib import admin

from auctioncraft.admin import ReadOnlyAdmin, RetryAdmin
from payments.models import Dispute, Refund
from payments.services import refunds


@admin.register(Refund)
class RefundAdmin(RetryAdmin):
    """Refunds. One with status `creating` was not confirmed by Stripe yet; without a next attempt it was given up."""

    list_display = (
        *("id", "stripe_refund_id", "payment", "amount", "status", "failure_code", "reason", "requested_by"),
        *("attempts", "next_attempt_at", "last_error", "created_at", "settled_at"),
    )
    list_filter = ("status", ("next_attempt_at", admin.EmptyFieldListFilter), "currency", "created_at")
    list_select_related = ("payment", "requested_by")
    search_fields = ("=id", "stripe_refund_id", "payment__stripe_intent_id", "=payment__order__id")
    date_hierarchy = "created_at"
    fields = list_display[1:]
    restart = staticmethod(refunds.restart)


@admin.register(Dispute)
class DisputeAdmin(ReadOnlyAdmin):
    """Disputes. Submit evidence in Stripe's dashboard before `evidence_due_at`."""

    list_display = (
        *("stripe_dispute_id", "payment", "amount", "status", "reason"),
        *("evidence_due_at", "opened_at", "closed_at"),
    )
    list_filter = (("closed_at", admin.EmptyFieldListFilter), "status", "reason", "currency")
    list_select_related = ("payment",)
    search_fields = ("stripe_dispute_id", "payment__stripe_intent_id", "=payment__order__id")
    date_hierarchy = "opened_at"
    fields = list_display
