"""Saved cards on the wire."""

from __future__ import annotations

from rest_framework import serializers

from auctioncraft.api.fields import StrictBooleanField, StrictCharField, UTCDateTimeField


class CardSetupSerializer(serializers.Serializer):
    """What Stripe.js needs to save a card."""

    client_secret = serializers.CharField(help_text="For Stripe.js on the buyer's page; keep it out of logs and URLs.")
    setup_intent_id = serializers.CharField()
    publishable_key = serializers.CharField()


class SaveCardSerializer(serializers.Serializer):
    """A SetupIntent that Stripe.js has finished."""

    setup_intent_id = StrictCharField(max_length=255)

    def validate_setup_intent_id(self, value: str) -> str:
        """Return it; whatever is no such id is not asked of Stripe."""
        if not (value.startswith("seti_") and value.isascii() and value.replace("_", "").isalnum()):
            raise serializers.ValidationError("The id of a SetupIntent is needed.")
        return value


class UpdateCardSerializer(serializers.Serializer):
    """What the owner of a card may say of it."""

    charge_when_winning = StrictBooleanField(help_text="Wins are charged to it at once, and to no other card of yours.")


class CardSerializer(serializers.Serializer):
    """A card that one keeps at Stripe for later."""

    id = serializers.IntegerField()
    payment_method_id = serializers.CharField(
        source="stripe_payment_method_id", help_text="For Stripe.js: to pay an order with this card."
    )
    brand = serializers.CharField()
    last4 = serializers.CharField()
    exp_month = serializers.IntegerField()
    exp_year = serializers.IntegerField()
    charge_when_winning = serializers.BooleanField(source="auto_charge")
    created_at = UTCDateTimeField()
