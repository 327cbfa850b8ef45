"""Request and response bodies of the user's own account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from accounts.fields import DisplayNameField, PasswordField
from accounts.serializers import ProfileSerializer
from auctioncraft.api.fields import StrictBooleanField, UTCDateTimeField
from notifications.services import preferences

if TYPE_CHECKING:
    from accounts.models import User


@extend_schema_field(
    {
        "type": "object",
        "additionalProperties": {
            "type": "object",
            "properties": {"in_app": {"type": "boolean"}, "mail": {"type": "boolean"}},
            "additionalProperties": False,
        },
        "example": {"outbid": {"mail": False}},
    }
)
class NotificationPreferencesField(serializers.DictField):
    """Preferences by notification kind. The notifications app checks the kinds."""

    child = serializers.DictField(child=StrictBooleanField())


class UpdateAccountSerializer(serializers.Serializer):
    """Changes to your account.

    A new password requires the current one or, if there is none, a code from POST /api/users/me/code/.
    """

    display_name = DisplayNameField(required=False)
    password = PasswordField(required=False)
    current_password = PasswordField(required=False)
    code = serializers.CharField(required=False, max_length=16, help_text="The digits from the email.")
    notifications = NotificationPreferencesField(required=False)


class DeleteAccountSerializer(serializers.Serializer):
    """Confirmation that you want to delete your account."""

    password = PasswordField(required=False, help_text="Required if you have one.")


class ChannelsSerializer(serializers.Serializer):
    """Where notifications of a kind go."""

    in_app = serializers.BooleanField(read_only=True)
    mail = serializers.BooleanField(read_only=True)


class AccountSerializer(ProfileSerializer):
    """Your account with its notification preferences."""

    notifications = serializers.SerializerMethodField(
        help_text="Preferences of every notification kind that can be switched off; kinds may be added. Notifications "
        "about money and security are always sent."
    )

    @extend_schema_field(serializers.DictField(child=ChannelsSerializer()))
    def get_notifications(self, user: User) -> dict[str, dict[str, bool]]:
        """Return the preferences by kind."""
        return preferences.get_preferences(user=user)


class ExportedProfileSerializer(ProfileSerializer):
    """The account itself."""

    has_password = serializers.BooleanField(source="has_usable_password")
    email_verified_at = UTCDateTimeField(allow_null=True)
    has_card = serializers.BooleanField()


def _rows(about: str) -> Any:
    return serializers.ListField(child=serializers.DictField(), help_text=about)


@extend_schema_serializer(many=False)
class ExportSerializer(serializers.Serializer):
    """All data about you. Amounts are strings in their currency. Sections and fields may be added."""

    exported_at = UTCDateTimeField()
    profile = ExportedProfileSerializer()
    sign_ins = _rows("Devices on which you signed in.")
    known_networks = _rows("Networks from which you signed in, and when last.")
    former_addresses = _rows("Your previous email addresses.")
    codes = _rows("When you requested one-time codes, without the codes.")
    failed_tries = _rows("Wrong codes of the last day, and wrong passwords of the last hour.")
    idempotency_keys = _rows("Responses stored for requests with an Idempotency-Key.")
    products = _rows("Products you listed, with their reserve prices.")
    bids = _rows("Your bids with their maximums, and the proxy bids made for you.")
    watches = _rows("Products you watch.")
    second_chances = _rows("Second-chance offers made to you.")
    purchases = _rows("Orders you bought, with their payments.")
    sales = _rows("Orders you sold.")
    payouts = _rows("Payouts for your sales.")
    seller_accounts = _rows("Your Stripe account for payouts.")
    saved_cards = _rows("Your saved cards: brand, last four digits and expiry.")
    notifications = _rows("Your notifications.")
    mails = _rows("Emails to you.")
    notification_preferences = _rows("Your notification preferences.")
