"""Accounts on the wire."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from accounts.fields import AddressField, DisplayNameField, PasswordField
from accounts.models import User


class RequestCodeSerializer(serializers.Serializer):
    """Ask for a code."""

    email = AddressField()


class VerifyCodeSerializer(serializers.Serializer):
    """Sign in with it. Any text is a try: what is not six digits is a wrong code."""

    email = AddressField()
    code = serializers.CharField(max_length=16, help_text="The six digits of the mail.")


class PasswordSignInSerializer(serializers.Serializer):
    """Sign in with a password. `username` is the e-mail address; `email` is the same."""

    username = AddressField(required=False)
    email = AddressField(required=False)
    password = PasswordField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Return the address as `email`, whatever it was sent as."""
        email = attrs.get("username") or attrs.get("email")
        if not email:
            raise serializers.ValidationError({"username": ["This field is required."]})
        return {"email": email, "password": attrs["password"]}


class RefreshSerializer(serializers.Serializer):
    """A refresh token."""

    refresh = serializers.CharField(max_length=2048)


class RegisterSerializer(serializers.Serializer):
    """A new account with a password."""

    email = AddressField()
    password = PasswordField()
    display_name = DisplayNameField(required=False, allow_blank=True)


class ProfileUpdateSerializer(serializers.Serializer):
    """What one may change about oneself. A new password takes the current one, if there is one."""

    display_name = DisplayNameField(required=False)
    password = PasswordField(required=False)
    current_password = PasswordField(required=False)


class DetailSerializer(serializers.Serializer):
    """A sentence for people."""

    detail = serializers.CharField(read_only=True)


class PairSerializer(serializers.Serializer):
    """The access token, good for 15 minutes, and the refresh token, good once and for 14 days."""

    access = serializers.CharField(read_only=True)
    refresh = serializers.CharField(read_only=True)


class ProfileSerializer(serializers.Serializer):
    """One's own account. Nobody else is ever shown this."""

    id = serializers.IntegerField(read_only=True)
    email = serializers.EmailField(read_only=True)
    display_name = serializers.CharField(read_only=True)
    is_staff = serializers.BooleanField(read_only=True)
    created_at = serializers.DateTimeField(read_only=True)
    seller = serializers.ChoiceField(
        choices=User.SellerState.choices, read_only=True, source="seller_state", help_text="State of the onboarding."
    )
    strikes = serializers.IntegerField(read_only=True, help_text="Won auctions that were not paid in time.")


class RegisteredSerializer(ProfileSerializer):
    """The account that was made; where a code must be verified first, it has no id yet, whoever's the address is."""

    id = serializers.IntegerField(read_only=True, allow_null=True)


class VerifiedSerializer(PairSerializer):
    """Tokens, and whose they are."""

    access = serializers.CharField(read_only=True, source="tokens.access")
    refresh = serializers.CharField(read_only=True, source="tokens.refresh")
    user = ProfileSerializer(read_only=True)
