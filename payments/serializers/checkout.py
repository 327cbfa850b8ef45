"""The checkout, its configuration, and the answer to Stripe's webhooks."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from auctioncraft.api.fields import IdField, MoneyOutputField
from auctioncraft.core import money
from payments.serializers.cards import STRIPE_JS_HELP, PublishableKeyField
from payments.serializers.orders import OrderSerializer


class CreatePaymentIntentSerializer(serializers.Serializer):
    """The product to pay for. Amount and currency come from its order."""

    product_id = IdField(help_text="The ID of a product that you have won.")


class CheckoutSerializer(serializers.Serializer):
    """A PaymentIntent to confirm with Stripe.js. Made from an `OpenPayment`; the context has the request."""

    client_secret = serializers.CharField(source="intent.client_secret", help_text=STRIPE_JS_HELP)
    payment_intent_id = serializers.CharField(source="intent.id", help_text="The ID of the PaymentIntent.")
    publishable_key = PublishableKeyField()
    amount = MoneyOutputField(
        source="order.total", currency_source="order.currency", help_text="The total of the order, such as 150.00."
    )
    currency = serializers.CharField(source="order.currency")
    status = serializers.CharField(source="intent.status", help_text="The status of the PaymentIntent at Stripe.")
    order = OrderSerializer()


class PremiumBandSerializer(serializers.Serializer):
    """A band of the buyer's premium: a percentage of the part of the hammer price above `from_price`."""

    from_price = serializers.CharField()
    percent = serializers.CharField()

    def to_representation(self, instance: tuple[Any, Any]) -> dict[str, Any]:
        """Name the two values of a band."""
        from_price, percent = instance
        named: dict[str, Any] = super().to_representation({"from_price": from_price, "percent": percent})
        return named


class PaymentConfigSerializer(serializers.Serializer):
    """Public configuration of payments. Made from Django's settings."""

    publishable_key = PublishableKeyField()
    currencies = serializers.SerializerMethodField(help_text="The currencies in which products can be listed.")
    buyers_premium = PremiumBandSerializer(
        source="BUYERS_PREMIUM_BANDS",
        many=True,
        help_text="The bands of the buyer's premium, by rising price.",
    )
    card_required_above = serializers.SerializerMethodField(
        help_text="For each currency, the amount above which a bidder needs a saved card. None if it is empty."
    )
    auto_charge = serializers.BooleanField(
        source="AUTO_CHARGE", help_text="Whether a saved card can be charged automatically when its owner wins."
    )

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_currencies(self, _: Any) -> list[str]:
        """Return the currencies in alphabetical order."""
        return sorted(money.CURRENCIES)

    @extend_schema_field(serializers.DictField(child=serializers.CharField()))
    def get_card_required_above(self, settings: Any) -> dict[str, str]:
        """Return the amounts as text."""
        return {currency: money.to_text(amount, currency) for currency, amount in settings.CARD_REQUIRED_ABOVE.items()}


class WebhookReceivedSerializer(serializers.Serializer):
    """The answer to a webhook of Stripe."""

    received = serializers.BooleanField()
