"""Request and response bodies of accounts."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from accounts.authentication import session_id_of
from accounts.devices import describe_device
from accounts.fields import DisplayNameField, NormalizedEmailField, PasswordField
from accounts.models import Session, User


class RequestCodeSerializer(serializers.Serializer):
    """The address that gets the code."""

    email = NormalizedEmailField()


class CodeSerializer(serializers.Serializer):
    """A code to verify. Any text counts as an attempt."""

    email = NormalizedEmailField()
    code = serializers.CharField(max_length=16, help_text="The digits from the email.")


class VerifyCodeSerializer(CodeSerializer):
    """A code to verify. Any text counts as an attempt."""

    password = PasswordField(required=False, help_text="Of an account registered before, to keep all of it.")


class PasswordLoginSerializer(serializers.Serializer):
    """Credentials. `username` and `email` both mean the email address; send one of them."""

    username = NormalizedEmailField(required=False)
    email = NormalizedEmailField(required=False)
    password = PasswordField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Return the address as `email`."""
        email = attrs.get("username") or attrs.get("email")
        if not email:
            raise serializers.ValidationError({"username": ["This field is required."]})
        return {"email": email, "password": attrs["password"]}


class RefreshSerializer(serializers.Serializer):
    """A refresh token."""

    refresh = serializers.CharField(max_length=2048)


class RegisterSerializer(serializers.Serializer):
    """A new account."""

    email = NormalizedEmailField()
    password = PasswordField()
    display_name = DisplayNameField(required=False, allow_blank=True)


class ResetPasswordSerializer(CodeSerializer):
    """A new password, and the code from the email. Any text counts as an attempt."""

    password = PasswordField()


class ChangeEmailSerializer(serializers.Serializer):
    """The new address. Requires the password or, if there is none, a code from POST /api/users/me/code/."""

    email = NormalizedEmailField()
    password = PasswordField(required=False)
    code = serializers.CharField(required=False, max_length=16, help_text="The digits from the email.")


class ConfirmEmailSerializer(serializers.Serializer):
    """The code that was sent to the new address."""

    code = serializers.CharField(max_length=16, help_text="The digits from the email.")


class DetailSerializer(serializers.Serializer):
    """A message to show to the user."""

    detail = serializers.CharField(read_only=True)


class TokenPairSerializer(serializers.Serializer):
    """An access token, valid for 15 minutes, and a refresh token, valid once within 14 days."""

    access = serializers.CharField(read_only=True)
    refresh = serializers.CharField(read_only=True)


class ProfileSerializer(serializers.Serializer):
    """Your account. Other users never see this."""

    id = serializers.IntegerField(read_only=True)
    email = serializers.EmailField(read_only=True)
    display_name = serializers.CharField(read_only=True)
    is_staff = serializers.BooleanField(read_only=True)
    created_at = serializers.DateTimeField(read_only=True)
    seller = serializers.ChoiceField(
        choices=User.SellerState.choices,
        read_only=True,
        source="seller_state",
        help_text="State of the onboarding for payouts.",
    )
    strikes = serializers.IntegerField(read_only=True, help_text="Won auctions that were not paid in time.")


class RegisteredSerializer(ProfileSerializer):
    """The new account. If a code must be verified first, `id` is null."""

    id = serializers.IntegerField(read_only=True, allow_null=True)


class VerifiedLoginSerializer(TokenPairSerializer):
    """Tokens, and the account they belong to."""

    access = serializers.CharField(read_only=True, source="tokens.access")
    refresh = serializers.CharField(read_only=True, source="tokens.refresh")
    user = ProfileSerializer(read_only=True)


class SessionSerializer(serializers.Serializer):
    """A session. `last_used_at` changes with each refresh."""

    id = serializers.UUIDField(read_only=True)
    device = serializers.SerializerMethodField(help_text="A description such as “Firefox on Windows”.")
    user_agent = serializers.CharField(read_only=True, help_text="The User-Agent header when the session started.")
    ip = serializers.IPAddressField(read_only=True, allow_null=True, help_text="IP address when the session started.")
    created_at = serializers.DateTimeField(read_only=True)
    last_used_at = serializers.DateTimeField(read_only=True)
    expires_at = serializers.DateTimeField(
        read_only=True, help_text="Unless it is refreshed, which is possible for 90 days."
    )
    current = serializers.SerializerMethodField(help_text="Whether this is the session of the request.")

    def get_device(self, session: Session) -> str:
        """Return the description."""
        return describe_device(session.user_agent)

    def get_current(self, session: Session) -> bool:
        """Return whether it is."""
        return session.pk == session_id_of(self.context["request"])
