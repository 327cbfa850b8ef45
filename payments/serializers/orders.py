"""Orders, as those who are part of them see them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from auctioncraft.api.fields import UTCDateTimeField
from payments import stripe_gateway
from payments.models import Order, OrderEvent, Payment
from payments.serializers.fields import AmountField
from payments.serializers.refunds import DisputeSerializer, RefundSerializer, SurplusSerializer


class OrderProductSerializer(serializers.Serializer):
    """The product of an order."""

    id = serializers.IntegerField()
    name = serializers.CharField()


class OrderPartySerializer(serializers.Serializer):
    """A party to an order, as the other one may know it."""

    id = serializers.IntegerField()
    display_name = serializers.CharField()


class OrderSerializer(serializers.Serializer):
    """An order for its buyer, its seller or staff. Wants `now` (UTC) and `user_id` in its context."""

    id = serializers.IntegerField()
    product = OrderProductSerializer()
    buyer = OrderPartySerializer()
    seller = OrderPartySerializer()
    role = serializers.SerializerMethodField(help_text="The caller's part in it; null for staff.")
    hammer_price = AmountField()
    buyers_premium = AmountField()
    shipping = AmountField()
    total = AmountField()
    refunded = AmountField(help_text="What has gone back to the buyer of it.")
    currency = serializers.CharField()
    status = serializers.ChoiceField(choices=Order.Status.choices)
    payable_by_card = serializers.SerializerMethodField(
        help_text="False if no card can be charged its total: Stripe has a least and a most, and takes two decimals."
    )
    due_at = UTCDateTimeField()
    paid_at = UTCDateTimeField(allow_null=True)
    created_at = UTCDateTimeField()
    server_time = serializers.SerializerMethodField()

    @extend_schema_field({"type": ["string", "null"], "enum": ["buyer", "seller", None]})
    def get_role(self, order: Order) -> str | None:
        """Return what the caller is in this order."""
        parts = {order.seller_id: "seller", order.buyer_id: "buyer"}
        return parts.get(self.context["user_id"])

    @extend_schema_field(UTCDateTimeField())
    def get_server_time(self, order: Order) -> Any:  # noqa: ARG002 (DRF's signature)
        """Return the moment of this answer."""
        return self.context["now"]

    def get_payable_by_card(self, order: Order) -> bool:
        """Return whether a card could be charged its total."""
        return stripe_gateway.can_charge(amount=order.total, currency=order.currency)


class OrderEventSerializer(serializers.Serializer):
    """One thing that happened to an order; who did it is told by their part in it alone."""

    kind = serializers.ChoiceField(choices=OrderEvent.Kind.choices)
    status = serializers.ChoiceField(choices=Order.Status.choices, help_text="The order's from then on.")
    role = serializers.ChoiceField(choices=OrderEvent.Role.choices)
    data = serializers.DictField(help_text="Amounts and reasons.")  # type: ignore[assignment]  # not Serializer.data
    at = UTCDateTimeField()


class OrderDetailSerializer(OrderSerializer):
    """An order with what happened to it, oldest first, and what goes back. Wants `is_staff` in its context too."""

    history = OrderEventSerializer(many=True)
    refunds = serializers.SerializerMethodField()
    surplus = serializers.SerializerMethodField(help_text="Money to give back, for staff; null for others.")
    disputes = serializers.SerializerMethodField(help_text="For staff; null for others.")

    @extend_schema_field(RefundSerializer(many=True))
    def get_refunds(self, order: Order) -> Any:
        """Return the refunds of its payments, the newest first."""
        refunds = [refund for payment in order.payments.all() for refund in payment.refunds.all()]
        return RefundSerializer(sorted(refunds, key=lambda refund: -refund.pk), many=True).data

    @extend_schema_field(SurplusSerializer(many=True, allow_null=True))
    def get_surplus(self, order: Order) -> Any:
        """Return what came in that it could not take."""
        if not self.context["is_staff"]:
            return None
        surplus = [payment for payment in order.payments.all() if payment.status == Payment.Status.SURPLUS]
        return SurplusSerializer(surplus, many=True).data

    @extend_schema_field(DisputeSerializer(many=True, allow_null=True))
    def get_disputes(self, order: Order) -> Any:
        """Return the disputes of its payments."""
        if not self.context["is_staff"]:
            return None
        disputes = [dispute for payment in order.payments.all() for dispute in payment.disputes.all()]
        return DisputeSerializer(disputes, many=True).data


class RefundResultSerializer(serializers.Serializer):
    """A refund that was asked for, and its order now."""

    refund = RefundSerializer()
    order = OrderDetailSerializer()
