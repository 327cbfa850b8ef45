"""One's own data on the wire: all of it, and its end."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from accounts.fields import PasswordField
from accounts.models import User
from auctioncraft.api.fields import UTCDateTimeField


class DeleteAccountSerializer(serializers.Serializer):
    """What proves that it is oneself, beside the access token."""

    password = PasswordField(required=False, help_text="Needed where one is set.")


class OwnProfileSerializer(serializers.Serializer):
    """The account itself."""

    id = serializers.IntegerField()
    email = serializers.CharField()
    display_name = serializers.CharField()
    is_staff = serializers.BooleanField()
    has_password = serializers.BooleanField()
    created_at = UTCDateTimeField()
    email_verified_at = UTCDateTimeField(allow_null=True)
    seller = serializers.ChoiceField(choices=User.SellerState.choices)
    strikes = serializers.IntegerField()
    has_card = serializers.BooleanField()


def _rows(about: str) -> Any:
    return serializers.ListField(child=serializers.DictField(), help_text=about)


@extend_schema_serializer(many=False)
class ExportSerializer(serializers.Serializer):
    """All that is kept about the caller. Amounts are text in their currency; sections may be added, and rows grow."""

    exported_at = UTCDateTimeField()
    profile = OwnProfileSerializer()
    sign_ins = _rows("Where and when one signed in.")
    former_addresses = _rows("Addresses one had.")
    codes = _rows("When codes were asked for; never the codes.")
    failed_tries = _rows("Wrong codes and passwords of the last hour.")
    idempotency_keys = _rows("Answers kept for requests that may be sent again.")
    products = _rows("What one listed, the reserve included.")
    bids = _rows("One's own bids with their maxima, and what one's proxy bid.")
    watches = _rows("Products one follows.")
    second_chances = _rows("Offers after a winner did not pay.")
    purchases = _rows("Orders one owes or paid, with their payments.")
    sales = _rows("Orders of what one sold.")
    payouts = _rows("What one is due of what one sold.")
    seller_accounts = _rows("The account at Stripe by which one is paid.")
    saved_cards = _rows("Cards one keeps for later; of a card we hold what a receipt shows.")
    notifications = _rows("Notices.")
    mails = _rows("When mails went out to one.")
    notification_preferences = _rows("How one chose to be told.")
