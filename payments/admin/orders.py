"""Orders and payments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from unfold.admin import TabularInline
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from auctioncraft.admin import ReadOnlyAdmin, ReadOnlyMixin
from auctioncraft.admin_confirmation import ReasonForm, confirmed_action
from auctioncraft.core import money
from payments import errors
from payments.models import RECORDED_METHODS, Order, OrderEvent, Payment, Refund
from payments.services import recorded_payments, refunds

if TYPE_CHECKING:
    from datetime import date
    from decimal import Decimal

    from django.db.models import QuerySet
    from django.http import HttpRequest

    from accounts.models import User


class PaymentInline(ReadOnlyMixin, TabularInline):  # type: ignore[misc]
    """The payments on the page of an order."""

    model = Payment
    extra = 0
    fields = (
        *("stripe_intent_id", "method", "reference", "dated", "recorded_by"),
        *("amount", "status", "decline_code", "created_at", "succeeded_at"),
    )


class OrderEventInline(ReadOnlyMixin, TabularInline):  # type: ignore[misc]
    """The history on the page of an order."""

    model = OrderEvent
    extra = 0
    fields = ("at", "kind", "status", "role", "actor", "data")

    def get_queryset(self, request: HttpRequest) -> QuerySet[OrderEvent]:
        """Join the actors."""
        events: QuerySet[OrderEvent] = super().get_queryset(request).select_related("actor")
        return events


class MoneyForm(ReasonForm):
    """Money that moved outside Stripe."""

    amount = forms.CharField(
        max_length=31, help_text="In the currency of the order.", widget=UnfoldAdminTextInputWidget
    )
    method = forms.ChoiceField(choices=RECORDED_METHODS, widget=UnfoldAdminSelectWidget)
    reference = forms.CharField(
        max_length=200, help_text="Where to find it.", required=False, widget=UnfoldAdminTextInputWidget
    )
    day = forms.DateField(help_text="On which the money moved, such as 2026-11-30.", widget=UnfoldAdminTextInputWidget)

    field_order = ("amount", "method", "reference", "day", "reason")

    def clean_amount(self) -> Decimal:
        """Return the amount."""
        try:
            return money.parse(self.cleaned_data["amount"])
        except money.InvalidAmount as error:
            raise forms.ValidationError(str(error)) from error


@admin.register(Order)
class OrderAdmin(ReadOnlyAdmin):
    """Orders with their payments and history. Payments outside Stripe, and their refunds, are recorded here."""

    list_display = (
        *("id", "product", "buyer", "seller", "total", "status"),
        *("due_at", "reminders_sent", "paid_at", "expired_at"),
    )
    list_filter = ("status", "currency", "created_at")
    list_select_related = ("product", "buyer", "seller")
    search_fields = ("=id", "product__name", "buyer__email", "seller__email", "payments__stripe_intent_id")
    date_hierarchy = "created_at"
    inlines = (PaymentInline, OrderEventInline)
    actions = ("record_payment", "record_refund")

    def has_pay_permission(self, request: HttpRequest) -> bool:
        """Return whether the user has the permission to add payments."""
        return request.user.has_perm("payments.add_payment")

    def has_refund_permission(self, request: HttpRequest) -> bool:
        """Return whether the user has the permission to add refunds."""
        return request.user.has_perm("payments.add_refund")

    @confirmed_action(
        "Record a payment received outside Stripe",
        "The order is paid then, and its buyer and seller are notified. This cannot be undone.",
        permissions=["pay"],
        form=MoneyForm,
        max_rows=1,
    )
    def record_payment(self, actor: User, order: Order, *, reason: str, day: date, **money_given: Any) -> str:
        """Record that the selected order was paid."""
        received = recorded_payments.ReceivedPayment(
            currency=order.currency, received_on=day, note=reason, **money_given
        )
        recorded_payments.record_payment(order_id=order.pk, actor=actor, received=received)
        return "paid."

    @confirmed_action(
        "Record a refund made outside Stripe",
        "You have refunded the buyer. Buyer and seller are notified. This cannot be undone.",
        permissions=["refund"],
        form=MoneyForm,
        max_rows=1,
    )
    def record_refund(self, actor: User, order: Order, *, reason: str, day: date, **money_given: Any) -> str:
        """Record that the recorded payment of the selected order was refunded."""
        wanted = refunds.RefundRequest(dated=day, note=reason, **money_given)
        made = refunds.refund_order(order_id=order.pk, actor=actor, request=wanted)
        return f"{money.to_text(made.amount, made.currency)} {made.currency} refunded."

    def describe_row(self, row: Order) -> str:
        """Return the total, and who pays whom for what."""
        total = f"{money.to_text(row.total, row.currency)} {row.currency}"
        return f"{self.name_row(row)}: {total} from {row.buyer} to {row.seller} for {row.product}"


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin):
    """Payments. Surplus payments paid no order and are to be refunded."""

    list_display = (
        *("id", "stripe_intent_id", "method", "order", "amount", "status", "received", "refunds_reserved"),
        *("decline_code", "succeeded_at"),
    )
    list_filter = ("status", "method", "currency", "created_at")
    list_select_related = ("order",)
    search_fields = ("=id", "stripe_intent_id", "reference", "=order__id")
    actions = ("refund_surplus",)

    def has_refund_permission(self, request: HttpRequest) -> bool:
        """Return whether the user has the permission to add refunds."""
        return request.user.has_perm("payments.add_refund")

    @confirmed_action(
        "Refund surplus payments in full",
        "All that is left of these payments goes back to their buyers. This cannot be undone.",
        permissions=["refund"],
        stop_on=(errors.StripeDown,),
    )
    def refund_surplus(self, actor: User, payment: Payment, *, reason: str) -> str:
        """Refund everything that is left of the selected surplus payments."""
        if payment.status != Payment.Status.SURPLUS:
            raise errors.NothingToRefund(
                "This payment paid its order. Refund it with the API or in Stripe's dashboard."
            )
        wanted = refunds.RefundRequest(payment=payment.stripe_intent_id or "", note=reason)
        made = refunds.refund_order(order_id=payment.order_id, actor=actor, request=wanted)
        amount = f"{money.to_text(made.amount, made.currency)} {made.currency}"
        if made.status == Refund.Status.CREATING:
            raise errors.StripeDown(f"{amount} will be refunded as soon as Stripe responds again.")
        return f"{amount}, {made.status}."

    def describe_row(self, row: Payment) -> str:
        """Return what is left to refund."""
        left = f"{money.to_text(row.refundable, row.received_currency)} {row.received_currency}"
        return f"{self.name_row(row)} of {row.order}: {left} left, {row.status}"
