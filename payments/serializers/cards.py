"""Saved cards."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework import serializers

from auctioncraft.api.fields import StrictBooleanField, StrictCharField, UTCDateTimeField

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
