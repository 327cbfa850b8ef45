"""Orders."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from auctioncraft.api.fields import MoneyOutputField, UTCDateTimeField
from payments import stripe_gateway
from payments.models import Order, OrderEvent, Payment
from payments.serializers.refunds import DisputeSerializer, RefundSerializer, SurplusSerializer


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
        return stripe_gateway.can_charge(amount=order.total, currency=order.currency)


class OrderEventSerializer(serializers.Serializer):
    """An event in the history of an order."""

    kind = serializers.ChoiceField(choices=OrderEvent.Kind.choices)
    status = serializers.ChoiceField(choices=Order.Status.choices, help_text="The status of the order after it.")
    role = serializers.ChoiceField(choices=OrderEvent.Role.choices, help_text="Who caused it.")
    data = serializers.DictField(help_text="Amounts and reasons.")  # type: ignore[assignment]  # not Serializer.data
    at = UTCDateTimeField()


class OrderDetailSerializer(OrderSerializer):
    """An order with its history, refunds, and for staff its surplus payments and disputes."""

    history = OrderEventSerializer(many=True, help_text="The events of the order, oldest first.")
    refunds = serializers.SerializerMethodField(help_text="The refunds of the order, newest first.")
    surplus = serializers.SerializerMethodField(help_text="Payments to refund. Only for staff, otherwise null.")
    disputes = serializers.SerializerMethodField(help_text="The disputes of the order. Only for staff, otherwise null.")

    @extend_schema_field(RefundSerializer(many=True))
    def get_refunds(self, order: Order) -> Any:
        """Return the refunds of the order's payments, newest first."""
        refunds = [refund for payment in order.payments.all() for refund in payment.refunds.all()]
        return RefundSerializer(sorted(refunds, key=lambda refund: -refund.pk), many=True).data

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
