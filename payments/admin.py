"""Staff see money here; they never type it. What changes an order or a payment is a service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from unfold.admin import TabularInline

from auctioncraft.admin import ReadOnly, ReadOnlyAdmin
from payments.models import Order, Payment, StripeEvent

if TYPE_CHECKING:
    from django.http import HttpRequest


class PaymentInline(ReadOnly, TabularInline):  # type: ignore[misc]
    """The payments of an order, on its page."""

    model = Payment
    extra = 0
    fields = ("intent_id", "amount", "currency", "status", "last_error", "created_at", "succeeded_at")


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
    inlines = (PaymentInline,)


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin):
    """Payments; `surplus` ones are to be refunded."""

    list_display = ("id", "intent_id", "order", "amount", "currency", "status", "last_error", "succeeded_at")
    list_filter = ("status", "currency", "created_at")
    list_select_related = ("order",)
    search_fields = ("=id", "intent_id", "=order__id")
    # The idempotency key is the server's; the model says it is not editable, so the admin leaves it out.


class _Attention(admin.SimpleListFilter):
    """What staff should look at."""

    title = "attention"
    parameter_name = "attention"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        """Return the choices."""
        return [("flagged", "Flagged"), ("waiting", "Not processed yet")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:  # noqa: ARG002
        """Narrow the list."""
        if self.value() == "flagged":
            return queryset.exclude(flag="")
        return queryset.filter(processed_at__isnull=True) if self.value() == "waiting" else queryset


@admin.register(StripeEvent)
class StripeEventAdmin(ReadOnlyAdmin):
    """What Stripe sent, and what became of it."""

    list_display = ("id", "type", "received_at", "processed_at", "attempts", "flag", "error")
    list_filter = (_Attention, "type", "received_at")
    search_fields = ("id", "type", "flag")
    date_hierarchy = "received_at"
