"""Orders, with their refunds, disputes and surplus payments."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from auctioncraft.api.fields import CurrencyField, MoneyField, MoneyOutputField, StrictCharField, UTCDateTimeField
from auctioncraft.core import card_amounts
from payments.models import RECORDED_METHODS, Method, Order, OrderEvent, Payment, Refund

_PUBLIC_STATUSES = [choice for choice in Refund.Status.choices if choice[0] != Refund.Status.CREATING]
_NOTE = "Why. Required of staff, and shown to staff only."


class RecordPaymentSerializer(serializers.Serializer):
    """A payment that was received outside Stripe."""

    amount = MoneyField(help_text="The amount received. It must be the total of the order.")
    currency = CurrencyField(help_text="The currency of the order, such as USD.")
    method = serializers.ChoiceField(choices=RECORDED_METHODS, help_text="How it was paid.")
    reference = StrictCharField(
        required=False, max_length=200, help_text="Where to find it, such as a bank's transaction number."
    )
    received_on = serializers.DateField(help_text="The day on which it was received, such as 2026-11-30.")
    note = StrictCharField(required=False, max_length=500, help_text=_NOTE)


class RecordedPaymentSerializer(serializers.Serializer):
    """The recorded payment of an order."""

    amount = MoneyOutputField()
    currency = serializers.CharField()
    method = serializers.ChoiceField(choices=RECORDED_METHODS)
    reference = serializers.CharField()
    received_on = serializers.DateField(source="dated")


class RefundRequestSerializer(serializers.Serializer):
    """A refund to make, in the currency of the payment."""

    amount = MoneyField(required=False, help_text="The amount to refund. Defaults to everything that is left.")
    reason = serializers.ChoiceField(
        choices=Refund.Reason.choices, required=False, help_text="Stripe's reason. Only staff may use `fraudulent`."
    )
    payment = StrictCharField(
        required=False,
        max_length=255,
        help_text="The payment_intent_id of the payment to refund. Defaults to the payment that paid the order; "
        "for staff, if there is none, to its only surplus payment.",
    )

    note = StrictCharField(required=False, max_length=500, help_text=_NOTE)
    force_reason = StrictCharField(
        required=False,
        max_length=500,
        help_text="Only staff: why to refund although the seller's share may not come back. The auction house pays it.",
    )
    method = serializers.ChoiceField(
        choices=RECORDED_METHODS,
        required=False,
        help_text="How you have refunded a payment that was recorded. Required for one, refused for any other.",
    )
    reference = StrictCharField(
        required=False, max_length=200, help_text="Reference of that refund, such as a bank's transaction number."
    )
    refunded_on = serializers.DateField(
        source="dated", required=False, help_text="The day of that refund, such as 2026-11-30."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse unknown fields without an amount: a misspelled `amount` would refund everything."""
        unknown = sorted(set(self.initial_data) - set(self.fields))
        if "amount" not in attrs and unknown:
            text = f"Enter an amount, or remove {', '.join(unknown)[:100]} to refund everything that is left."
            raise serializers.ValidationError({"amount": [text]})
        return attrs


class RefundSerializer(serializers.Serializer):
    """A refund. It is `pending` until Stripe reports its outcome, also while the seller's share is on its way back."""

    id = serializers.IntegerField()
    payment_intent_id = serializers.CharField(
        source="payment.stripe_intent_id", allow_null=True, help_text="Null if it was made outside Stripe."
    )
    amount = MoneyOutputField()
    currency = serializers.CharField()
    reason = serializers.CharField(help_text="Stripe's reason for the refund, or empty.")
    method = serializers.ChoiceField(choices=Method.choices, help_text="Whether it was made with Stripe, or how else.")
    reference = serializers.CharField(help_text="Reference of a refund that was made outside Stripe, or empty.")
    status = serializers.SerializerMethodField()
    failure_code = serializers.CharField(
        help_text="Why it failed, or empty: `paid_out` if the seller's share did not come back, else Stripe's code."
    )
    created_at = UTCDateTimeField()
    settled_at = UTCDateTimeField(allow_null=True, help_text="When it succeeded or failed.")

    @extend_schema_field(serializers.ChoiceField(choices=_PUBLIC_STATUSES))
    def get_status(self, refund: Refund) -> str:
        """Return the status; `creating` is shown as `pending`."""
        return Refund.Status.PENDING if refund.status == Refund.Status.CREATING else refund.status


class DisputeSerializer(serializers.Serializer):
    """A dispute of a payment by the buyer's bank."""

    dispute_id = serializers.CharField(source="stripe_dispute_id", help_text="The ID of the dispute at Stripe.")
    amount = MoneyOutputField()
    currency = serializers.CharField()
    status = serializers.CharField(help_text="The status of the dispute at Stripe.")
    reason = serializers.CharField(help_text="The reason given by the cardholder.")
    evidence_due_at = UTCDateTimeField(allow_null=True, help_text="Deadline for evidence in Stripe's dashboard.")
    opened_at = UTCDateTimeField()
    closed_at = UTCDateTimeField(allow_null=True)


class SurplusSerializer(serializers.Serializer):
    """A payment that its order could not accept: it was paid already, expired, or of another amount."""

    payment_intent_id = serializers.CharField(source="stripe_intent_id")
    received = MoneyOutputField(currency_source="received_currency")
    refundable = MoneyOutputField(currency_source="received_currency")
    currency = serializers.CharField(
        source="received_currency", help_text="The currency received, which may not be the order's."
    )
    received_at = UTCDateTimeField(source="succeeded_at")


class OrderProductSerializer(serializers.Serializer):
    """The product of an order."""

    id = serializers.IntegerField()
    name = serializers.CharField()


class OrderPartySerializer(serializers.Serializer):
    """The buyer or seller of an order."""

    id = serializers.IntegerField()
    display_name = serializers.CharField()


class OrderSerializer(serializers.Serializer):
    """An order. The context has the request and the time `now`, read once for all orders of a list."""

    id = serializers.IntegerField()
    product = OrderProductSerializer()
    buyer = OrderPartySerializer()
    seller = OrderPartySerializer()
    role = serializers.SerializerMethodField(help_text="Your role in the order; null for staff.")
    hammer_price = MoneyOutputField()
    buyers_premium = MoneyOutputField()
    shipping = MoneyOutputField()
    total = MoneyOutputField(help_text="Hammer price, buyer's premium and shipping.")
    refunded = MoneyOutputField(help_text="The amount refunded to the buyer.")
    currency = serializers.CharField()
    status = serializers.ChoiceField(choices=Order.Status.choices)
    payable_by_card = serializers.SerializerMethodField(
        help_text="Whether Stripe can charge the total: it has a minimum, a maximum and two decimals."
    )
    due_at = UTCDateTimeField(help_text="When the order expires if it is not paid.")
    paid_at = UTCDateTimeField(allow_null=True)
    created_at = UTCDateTimeField()
    server_time = serializers.SerializerMethodField()

    @extend_schema_field({"type": ["string", "null"], "enum": ["buyer", "seller", None]})
    def get_role(self, order: Order) -> str | None:
        """Return the caller's role."""
        return {order.seller_id: "seller", order.buyer_id: "buyer"}.get(self.context["request"].user.pk)

    @extend_schema_field(UTCDateTimeField())
    def get_server_time(self, _: Order) -> Any:
        """Return the time of the response."""
        return self.context["now"]

    def get_payable_by_card(self, order: Order) -> bool:
        """Return whether a card can be charged the total."""
        return card_amounts.can_charge(amount=order.total, currency=order.currency)


class OrderEventSerializer(serializers.Serializer):
    """An event in the history of an order."""

    kind = serializers.ChoiceField(choices=OrderEvent.Kind.choices)
    status = serializers.ChoiceField(choices=Order.Status.choices, help_text="The status of the order after it.")
    role = serializers.ChoiceField(choices=OrderEvent.Role.choices, help_text="Who caused it.")
    data = serializers.SerializerMethodField(help_text="Amounts and reasons. Notes of the staff are only for staff.")  # type: ignore[assignment]  # not Serializer.data
    at = UTCDateTimeField()

    @extend_schema_field(serializers.DictField())
    def get_data(self, event: OrderEvent) -> dict[str, Any]:
        """Return the amounts and reasons."""
        is_staff = self.context["request"].user.is_staff
        return {name: value for name, value in event.data.items() if is_staff or name != "note"}


class OrderDetailSerializer(OrderSerializer):
    """An order with its history, refunds, and for staff its surplus payments and disputes."""

    history = OrderEventSerializer(many=True, help_text="The events of the order, oldest first.")
    refunds = serializers.SerializerMethodField(help_text="The refunds of the order, newest first.")
    recorded_payment = serializers.SerializerMethodField(
        help_text="The payment of the order if it was made outside Stripe, otherwise null."
    )
    surplus = serializers.SerializerMethodField(help_text="Payments to refund. Only for staff, otherwise null.")
    disputes = serializers.SerializerMethodField(help_text="The disputes of the order. Only for staff, otherwise null.")

    @extend_schema_field(RefundSerializer(many=True))
    def get_refunds(self, order: Order) -> Any:
        """Return the refunds of the order's payments, newest first."""
        refunds = [refund for payment in order.payments.all() for refund in payment.refunds.all()]
        return RefundSerializer(sorted(refunds, key=lambda refund: -refund.pk), many=True).data

    @extend_schema_field(RecordedPaymentSerializer(allow_null=True))
    def get_recorded_payment(self, order: Order) -> Any:
        """Return the recorded payment, if any."""
        recorded = next((payment for payment in order.payments.all() if payment.is_recorded), None)
        return recorded and RecordedPaymentSerializer(recorded).data

    @extend_schema_field(SurplusSerializer(many=True, allow_null=True))
    def get_surplus(self, order: Order) -> Any:
        """Return the surplus payments."""
        if not self.context["request"].user.is_staff:
            return None
        surplus = [payment for payment in order.payments.all() if payment.status == Payment.Status.SURPLUS]
        return SurplusSerializer(surplus, many=True).data

    @extend_schema_field(DisputeSerializer(many=True, allow_null=True))
    def get_disputes(self, order: Order) -> Any:
        """Return the disputes of the order's payments."""
        if not self.context["request"].user.is_staff:
            return None
        disputes = [dispute for payment in order.payments.all() for dispute in payment.disputes.all()]
        return DisputeSerializer(disputes, many=True).data


class RefundResultSerializer(serializers.Serializer):
    """The refund that was requested, and its order."""

    refund = RefundSerializer()
    order = OrderDetailSerializer()
