"""The checkout, its configuration, saved cards, and the answer to Stripe's webhooks."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from auctioncraft.api.fields import IdField, MoneyOutputField, StrictBooleanField, StrictCharField, UTCDateTimeField
from auctioncraft.core import money
from payments.serializers.orders import OrderSerializer

STRIPE_JS_HELP = "For Stripe.js in the buyer's browser. Do not log it, store it or put it in a URL."


class PublishableKeyField(serializers.CharField):
    """The publishable API key of this server."""

    def __init__(self, **kwargs: Any) -> None:
        """Set `read_only` and the description."""
        super().__init__(**{"read_only": True, "help_text": "The publishable key for Stripe.js.", **kwargs})

    def get_attribute(self, instance: Any) -> str:  # noqa: ARG002 (DRF's signature)
        """Return the key, whatever the instance."""
        key: str = settings.STRIPE_PUBLISHABLE_KEY
        return key


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


class CardSetupSerializer(serializers.Serializer):
    """A SetupIntent to confirm with Stripe.js. Made from the gateway's `SetupIntent`."""

    client_secret = serializers.CharField(help_text=STRIPE_JS_HELP)
    setup_intent_id = serializers.CharField(source="id", help_text="The ID of the SetupIntent.")
    publishable_key = PublishableKeyField()


class SaveCardSerializer(serializers.Serializer):
    """A SetupIntent that was confirmed with Stripe.js."""

    setup_intent_id = StrictCharField(max_length=255, help_text="The ID of a SetupIntent that has succeeded.")

    def validate_setup_intent_id(self, value: str) -> str:
        """Refuse what cannot be the ID of a SetupIntent without asking Stripe."""
        if not (value.startswith("seti_") and value.isascii() and value.replace("_", "").isalnum()):
            raise serializers.ValidationError("This is not the ID of a SetupIntent.")
        return value


class UpdateCardSerializer(serializers.Serializer):
    """Changes to a saved card."""

    charge_when_winning = StrictBooleanField(
        help_text="Whether this card is charged automatically when you win an auction. At most one card is."
    )


class CardSerializer(serializers.Serializer):
    """A card saved at Stripe for later payments."""

    id = serializers.IntegerField()
    payment_method_id = serializers.CharField(
        source="stripe_payment_method_id", help_text="The ID of the PaymentMethod, to pay an order with Stripe.js."
    )
    brand = serializers.CharField(help_text="Card brand, such as visa or mastercard.")
    last4 = serializers.CharField(help_text="The last four digits of the card.")
    exp_month = serializers.IntegerField(help_text="Expiration month, 1 to 12.")
    exp_year = serializers.IntegerField(help_text="Expiration year, four digits.")
    charge_when_winning = serializers.BooleanField(
        source="auto_charge", help_text="Whether this card is charged automatically when you win an auction."
    )
    created_at = UTCDateTimeField()
