"""Orders, as those who are part of them see them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from auctioncraft import money
from auctioncraft.api.fields import UTCDateTimeField
from payments.models import Order


@extend_schema_field({"type": "string", "example": "150.00"})
class AmountField(serializers.Field):
    """Money as answers write it: text with the decimals of the row's currency."""

    def __init__(self, **kwargs: Any) -> None:
        """Take Field's arguments; it is never written."""
        super().__init__(read_only=True, **kwargs)

    def get_attribute(self, instance: Order) -> str:
        """Return the amount of this name beside its currency."""
        return money.to_text(getattr(instance, self.field_name or ""), instance.currency)

    def to_representation(self, value: str) -> str:
        """Return the text."""
        return value


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
    currency = serializers.CharField()
    status = serializers.ChoiceField(choices=Order.Status.choices)
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
