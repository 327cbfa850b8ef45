"""Orders and payments."""

from __future__ import annotations

from django.contrib import admin
from unfold.admin import TabularInline

from auctioncraft.admin import ReadOnly, ReadOnlyAdmin
from payments.models import Order, OrderEvent, Payment


class PaymentInline(ReadOnly, TabularInline):  # type: ignore[misc]
    """The payments of an order, on its page."""

    model = Payment
    extra = 0
    fields = ("intent_id", "amount", "currency", "status", "last_error", "created_at", "succeeded_at")


class HistoryInline(ReadOnly, TabularInline):  # type: ignore[misc]
    """What happened to an order, on its page."""

    model = OrderEvent
    extra = 0
    fields = ("at", "kind", "status", "role", "actor", "data")


@admin.register(Order)
class OrderAdmin(ReadOnlyAdmin):
    """Orders, with their payments."""

    list_display = (
        *("id", "product", "buyer", "seller", "total", "currency", "status"),
        *("due_at", "reminders", "paid_at", "expired_at"),
    )
    list_filter = ("status", "currency", "created_at")
    list_select_related = ("product", "buyer", "seller")
    search_fields = ("=id", "product__name", "buyer__email", "seller__email", "payments__intent_id")
    date_hierarchy = "created_at"
    inlines = (PaymentInline, HistoryInline)


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin):
    """Payments; `surplus` ones are to be refunded."""

    list_display = ("id", "intent_id", "order", "amount", "currency", "status", "last_error", "succeeded_at")
    list_filter = ("status", "currency", "created_at")
    list_select_related = ("order",)
    search_fields = ("=id", "intent_id", "=order__id")
    # The idempotency key is the server's; the model says it is not editable, so the admin leaves it out.
