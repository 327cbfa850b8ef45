"""Sellers' accounts at Stripe and their payouts."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework import serializers

from accounts.models import User
from auctioncraft.api.fields import MoneyOutputField, StrictCharField, UTCDateTimeField
from payments.models import Payout
from payments.serializers.orders import OrderPartySerializer, OrderProductSerializer


class SellerAccountSerializer(serializers.Serializer):
    """A seller's connected account. Before onboarding, made from an unsaved `SellerAccount`."""

    connect = serializers.SerializerMethodField(
        help_text="Whether sellers are paid with Stripe Connect. If not, staff pay them manually."
    )
    state = serializers.ChoiceField(choices=User.SellerState.choices, help_text="The state of the onboarding.")
    details_submitted = serializers.BooleanField(help_text="Whether the onboarding was completed.")
    charges_enabled = serializers.BooleanField(help_text="Whether the account can receive payments.")
    payouts_enabled = serializers.BooleanField(help_text="Whether Stripe can send payouts to the seller's bank.")
    requirements = serializers.ListField(
        child=serializers.CharField(), help_text="The information that Stripe still needs, by Stripe's field names."
    )

    def get_connect(self, _: Any) -> bool:
        """Return the setting."""
        connect: bool = settings.STRIPE_CONNECT
        return connect


class OnboardingSerializer(serializers.Serializer):
    """A link to Stripe's onboarding pages. It works once: redirect at once and do not send it by email."""

    url = serializers.CharField(source="link.url")
    expires_at = UTCDateTimeField(source="link.expires_at")
    seller = SellerAccountSerializer(source="account")


class HoldSerializer(serializers.Serializer):
    """Why payouts are held or released."""

    reason = StrictCharField(max_length=500, help_text="Kept with your name; only staff can read it.")


class PayoutSerializer(serializers.Serializer):
    """What the seller receives of a paid order."""

    id = serializers.IntegerField()
    order = serializers.IntegerField(source="order_id", help_text="The ID of the order.")
    product = OrderProductSerializer(source="order.product")
    seller = OrderPartySerializer()
    currency = serializers.CharField()
    gross = MoneyOutputField(help_text="The amount that the buyer paid.")
    fee = MoneyOutputField(help_text="Our commission and the buyer's premium.")
    amount = MoneyOutputField(help_text="The seller's share: gross less fee.")
    reversed = MoneyOutputField(source="clawed_back", help_text="The seller's share of refunds and lost disputes.")
    sent = MoneyOutputField(source="transferred", help_text="The amount that the seller has received.")
    due = MoneyOutputField(source="owed", help_text="The amount still to pay; negative if the seller owes it.")
    route = serializers.ChoiceField(choices=Payout.Route.choices)
    status = serializers.ChoiceField(
        choices=Payout.Status.choices,
        help_text="`held`: by our staff, until they release it. `outside`: the seller has received the money directly.",
    )
    blocked_by = serializers.CharField(help_text="Why it is blocked: disputed, not_onboarded, or empty.")
    created_at = UTCDateTimeField()
    paid_at = UTCDateTimeField(allow_null=True)
