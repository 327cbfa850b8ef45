"""What goes in and out of paying, and what Stripe is answered."""

from __future__ import annotations

from rest_framework import serializers

from auctioncraft.api.fields import IdField
from payments.serializers.orders import OrderSerializer


class CreatePaymentIntentSerializer(serializers.Serializer):
    """Which product to pay for. Amount and currency are the order's."""

    product_id = IdField()


class CheckoutSerializer(serializers.Serializer):
    """What Stripe.js needs to take the payment."""

    client_secret = serializers.CharField(help_text="For Stripe.js on the buyer's page; keep it out of logs and URLs.")
    payment_intent_id = serializers.CharField()
    publishable_key = serializers.CharField()
    amount = serializers.CharField(help_text="The order's total in its currency's decimals, like 150.00.")
    currency = serializers.CharField()
    status = serializers.CharField(help_text="The PaymentIntent's status at Stripe.")
    order = OrderSerializer()


class PremiumBandSerializer(serializers.Serializer):
    """The percentage on the part of a hammer price from `from_price` to the next band's."""

    from_price = serializers.CharField()
    percent = serializers.CharField()


class PaymentConfigSerializer(serializers.Serializer):
    """What a checkout page must know before there is an order."""

    publishable_key = serializers.CharField()
    currencies = serializers.ListField(child=serializers.CharField())
    buyers_premium = PremiumBandSerializer(many=True)
    card_required_above = serializers.DictField(
        child=serializers.CharField(),
        help_text="By currency: who bids more needs a card on file. None named, none needed.",
    )
    auto_charge = serializers.BooleanField(help_text="Whether wins can be charged to a saved card at once.")


class WebhookReceivedSerializer(serializers.Serializer):
    """The answer to Stripe."""

    received = serializers.BooleanField()
