"""Sellers' accounts at Stripe, and what they are due."""

from __future__ import annotations

from django.conf import settings
from rest_framework import serializers

from accounts.models import User
from auctioncraft.api.fields import UTCDateTimeField
from payments.models import Payout, SellerAccount
from payments.serializers.fields import AmountField
from payments.serializers.orders import OrderPartySerializer, OrderProductSerializer


class SellerAccountSerializer(serializers.Serializer):
    """How a seller's account for payouts stands: a `SellerAccount`, unsaved of one who has not begun."""

    connect = serializers.SerializerMethodField(help_text="Whether this house pays through Stripe, or by hand.")
    state = serializers.ChoiceField(choices=User.SellerState.choices, help_text="How far the onboarding has come.")
    details_submitted = serializers.BooleanField()
    charges_enabled = serializers.BooleanField()
    payouts_enabled = serializers.BooleanField()
    requirements = serializers.ListField(
        child=serializers.CharField(), help_text="What Stripe still wants to know, by its own names."
    )

    def get_connect(self, account: SellerAccount) -> bool:  # noqa: ARG002 (DRF's signature)
        """Return it."""
        connect: bool = settings.STRIPE_CONNECT
        return connect


class OnboardingSerializer(serializers.Serializer):
    """Where to send the seller: to Stripe's pages, once, at once. Never by mail: whoever has the link is let in."""

    url = serializers.CharField(source="link.url")
    expires_at = UTCDateTimeField(source="link.expires_at")
    seller = SellerAccountSerializer(source="account")


class PayoutSerializer(serializers.Serializer):
    """What a seller is due of one paid order."""

    id = serializers.IntegerField()
    order = serializers.IntegerField(source="order_id")
    product = OrderProductSerializer(source="order.product")
    seller = OrderPartySerializer()
    currency = serializers.CharField()
    gross = AmountField(help_text="What the buyer paid.")
    fee = AmountField(help_text="What the house keeps of it.")
    amount = AmountField(help_text="What the seller is due of it.")
    reversed = AmountField(source="clawed_back", help_text="Their share of what the buyer got back.")
    sent = AmountField(source="transferred", help_text="What they have of it now.")
    due = AmountField(source="owed", help_text="What they are still to get; below zero, to give back.")
    route = serializers.ChoiceField(choices=Payout.Route.choices)
    status = serializers.ChoiceField(choices=Payout.Status.choices)
    blocked_by = serializers.CharField(help_text="disputed or not_onboarded, if it is blocked.")
    created_at = UTCDateTimeField()
    paid_at = UTCDateTimeField(allow_null=True)
