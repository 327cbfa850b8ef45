"""Orders and payments."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from unfold.admin import TabularInline
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from auctioncraft.admin import ReadOnlyAdmin, ReadOnlyMixin, confirm_action, confirmed, run_actions
from auctioncraft.core import money
from payments import errors
from payments.models import RECORDED_METHODS, Order, OrderEvent, Payment, Refund
from payments.services import recorded_payments, refunds

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from django.db.models import QuerySet
    from django.http import HttpRequest
    from django.template.response import TemplateResponse


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


class _MoneyForm(forms.Form):
    """Money that moved outside Stripe."""

    amount = forms.CharField(
        max_length=31, help_text="In the currency of the order.", widget=UnfoldAdminTextInputWidget
    )
    method = forms.ChoiceField(choices=RECORDED_METHODS, widget=UnfoldAdminSelectWidget)
    reference = forms.CharField(
        max_length=200, help_text="Where to find it.", required=False, widget=UnfoldAdminTextInputWidget
    )
    day = forms.DateField(help_text="On which the money moved, such as 2026-11-30.", widget=UnfoldAdminTextInputWidget)

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

    @admin.action(description="Record a payment received outside Stripe", permissions=["pay"])
    def record_payment(self, request: HttpRequest, selected: QuerySet[Order]) -> TemplateResponse | None:
        """Record that the selected order was paid, once that is confirmed."""

        def record(order: Order, given: dict[str, Any]) -> str:
            received = recorded_payments.ReceivedPayment(
                amount=given["amount"],
                currency=order.currency,
                method=given["method"],
                reference=given["reference"],
                received_on=given["day"],
            )
            recorded_payments.record_payment(order_id=order.pk, actor=request.user, received=received)  # type: ignore[arg-type]
            return "paid."

        consequence = "The order is paid then, and its buyer and seller are notified. This cannot be undone."
        return self._confirm(request, selected, record, title="Record a payment", consequence=consequence)

    @admin.action(description="Record a refund made outside Stripe", permissions=["refund"])
    def record_refund(self, request: HttpRequest, selected: QuerySet[Order]) -> TemplateResponse | None:
        """Record that the recorded payment of the selected order was refunded, once that is confirmed."""

        def record(order: Order, given: dict[str, Any]) -> str:
            wanted = refunds.RefundRequest(
                amount=given["amount"], method=given["method"], reference=given["reference"], dated=given["day"]
            )
            made = refunds.refund_order(order_id=order.pk, actor=request.user, request=wanted)  # type: ignore[arg-type]
            return f"{money.to_text(made.amount, made.currency)} {made.currency} refunded."

        consequence = "You have refunded the buyer. Buyer and seller are notified. This cannot be undone."
        return self._confirm(request, selected, record, title="Record a refund", consequence=consequence)

    def _confirm(
        self,
        request: HttpRequest,
        selected: QuerySet[Order],
        act: Callable[[Order, dict[str, Any]], str],
        *,
        title: str,
        consequence: str,
    ) -> TemplateResponse | None:
        orders = list(selected.with_parties()[:2])  # type: ignore[attr-defined]
        if len(orders) != 1:
            self.message_user(request, "Select one order.", messages.ERROR)
            return None
        form = confirmed(request, _MoneyForm)
        if not form.is_valid():
            action = request.POST["action"]
            return confirm_action(
                self, request, action=action, title=title, consequence=consequence, form=form, rows=orders
            )
        run_actions(self, request, [(f"Order {orders[0].pk}", partial(act, orders[0], form.cleaned_data))])
        return None


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
