"""Orders and payments."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from django.contrib import admin
from unfold.admin import TabularInline

from auctioncraft.admin import ReadOnlyAdmin, ReadOnlyMixin, run_actions
from auctioncraft.core import money
from payments import errors
from payments.models import Order, OrderEvent, Payment, Refund
from payments.services import refunds

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest


class PaymentInline(ReadOnlyMixin, TabularInline):  # type: ignore[misc]
    """The payments on the page of an order."""

    model = Payment
    extra = 0
    fields = ("stripe_intent_id", "amount", "status", "decline_code", "created_at", "succeeded_at")


class OrderEventInline(ReadOnlyMixin, TabularInline):  # type: ignore[misc]
    """The history on the page of an order."""

    model = OrderEvent
    extra = 0
    fields = ("at", "kind", "status", "role", "actor", "data")

    def get_queryset(self, request: HttpRequest) -> QuerySet[OrderEvent]:
        """Join the actors."""
        events: QuerySet[OrderEvent] = super().get_queryset(request).select_related("actor")
        return events


@admin.register(Order)
class OrderAdmin(ReadOnlyAdmin):
    """Orders with their payments and history."""

    list_display = (
        *("id", "product", "buyer", "seller", "total", "status"),
        *("due_at", "reminders_sent", "paid_at", "expired_at"),
    )
    list_filter = ("status", "currency", "created_at")
    list_select_related = ("product", "buyer", "seller")
    search_fields = ("=id", "product__name", "buyer__email", "seller__email", "payments__stripe_intent_id")
    date_hierarchy = "created_at"
    inlines = (PaymentInline, OrderEventInline)


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin):
    """Payments. Surplus payments paid no order and are to be refunded."""

    list_display = (
        *("id", "stripe_intent_id", "order", "amount", "status", "received", "refunds_reserved"),
        *("decline_code", "succeeded_at"),
    )
    list_filter = ("status", "currency", "created_at")
    list_select_related = ("order",)
    search_fields = ("=id", "stripe_intent_id", "=order__id")
    actions = ("refund_surplus",)

    def has_refund_permission(self, request: HttpRequest) -> bool:
        """Return whether the user has the permission to add refunds."""
        return request.user.has_perm("payments.add_refund")

    @admin.action(description="Refund surplus payments in full", permissions=["refund"])
    def refund_surplus(self, request: HttpRequest, payments: QuerySet[Payment]) -> None:
        """Refund everything that is left of the selected surplus payments."""

        def refund(payment: Payment) -> str:
            if payment.status != Payment.Status.SURPLUS:
                raise errors.NothingToRefund(
                    "This payment paid its order. Refund it with the API or in Stripe's dashboard."
                )
            made = refunds.refund_order(
                order_id=payment.order_id,
                actor=request.user,  # type: ignore[arg-type]
                request=refunds.RefundRequest(payment=payment.stripe_intent_id or ""),
            )
            amount = f"{money.to_text(made.amount, made.currency)} {made.currency}"
            if made.status == Refund.Status.CREATING:
                raise errors.StripeDown(f"{amount} will be refunded as soon as Stripe responds again.")
            return f"{amount}, {made.status}."

        actions = ((f"Payment {payment.pk}", partial(refund, payment)) for payment in payments)
        run_actions(self, request, actions, stop_on=(errors.StripeDown,))
