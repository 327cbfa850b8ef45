"""Orders and payments."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from django.contrib import admin
from unfold.admin import TabularInline

from auctioncraft.admin import ReadOnlyAdmin, ReadOnlyMixin
from auctioncraft.core import money
from auctions.admin.actions import run_actions
from payments import errors
from payments.models import Order, OrderEvent, Payment
from payments.services import refunds

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest


class PaymentInline(ReadOnlyMixin, TabularInline):  # type: ignore[misc]
    """The payments of an order, on its page."""

    model = Payment
    extra = 0
    fields = ("stripe_intent_id", "amount", "currency", "status", "last_error", "created_at", "succeeded_at")


class OrderEventInline(ReadOnlyMixin, TabularInline):  # type: ignore[misc]
    """What happened to an order, on its page."""

    model = OrderEvent
    extra = 0
    fields = ("at", "kind", "status", "role", "actor", "data")

    def get_queryset(self, request: HttpRequest) -> QuerySet[OrderEvent]:
        """Read who did it in the same query."""
        events: QuerySet[OrderEvent] = super().get_queryset(request).select_related("actor")
        return events


@admin.register(Order)
class OrderAdmin(ReadOnlyAdmin):
    """Orders, with their payments."""

    list_display = (
        *("id", "product", "buyer", "seller", "total", "currency", "status"),
        *("due_at", "reminders_sent", "paid_at", "expired_at"),
    )
    list_filter = ("status", "currency", "created_at")
    list_select_related = ("product", "buyer", "seller")
    search_fields = ("=id", "product__name", "buyer__email", "seller__email", "payments__stripe_intent_id")
    date_hierarchy = "created_at"
    inlines = (PaymentInline, OrderEventInline)


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin):
    """Payments; `surplus` ones are to be refunded."""

    list_display = (
        *(
            "id",
            "stripe_intent_id",
            "order",
            "amount",
            "currency",
            "status",
            "received",
            "received_currency",
            "refunds_reserved",
        ),
        *("last_error", "succeeded_at"),
    )
    list_filter = ("status", "currency", "created_at")
    list_select_related = ("order",)
    search_fields = ("=id", "stripe_intent_id", "=order__id")
    actions = ("refund_surplus",)
    # The idempotency key is the server's; the model says it is not editable, so the admin leaves it out.

    def has_refund_permission(self, request: HttpRequest) -> bool:
        """Staff with Django's permission to add refunds."""
        return request.user.has_perm("payments.add_refund")

    @admin.action(description="Refund all of it (surplus only)", permissions=["refund"])
    def refund_surplus(self, request: HttpRequest, payments: QuerySet[Payment]) -> None:
        """Give back all that is left of the chosen payments, of those that no order could take."""

        def refund(payment: Payment) -> str:
            if payment.status != Payment.Status.SURPLUS:
                raise errors.NothingToRefund(
                    "It is not surplus. Refund what paid an order by the API, or in Stripe's dashboard."
                )
            made = refunds.refund_order(
                order_id=payment.order_id,
                actor=request.user,  # type: ignore[arg-type]
                payment=payment.stripe_intent_id or "",
            )
            return f"{money.to_text(made.amount, made.currency)} {made.currency}, {made.status}."

        run_actions(self, request, ((f"Payment {payment.pk}", partial(refund, payment)) for payment in payments))
