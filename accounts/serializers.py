"""Accounts on the wire."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from accounts.authentication import session_id_of
from accounts.devices import describe
from accounts.fields import DisplayNameField, NormalizedEmailField, PasswordField
from accounts.models import Session, User


class RequestCodeSerializer(serializers.Serializer):
    """Ask for a code."""

    email = NormalizedEmailField()


class VerifyCodeSerializer(serializers.Serializer):
    """Sign in with it. Any text is a try: what is not six digits is a wrong code."""

    email = NormalizedEmailField()
    code = serializers.CharField(max_length=16, help_text="The six digits of the mail.")


class PasswordLoginSerializer(serializers.Serializer):
    """Sign in with a password. `username` is the e-mail address; `email` is the same."""

    username = NormalizedEmailField(required=False)
    email = NormalizedEmailField(required=False)
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

    email = NormalizedEmailField()
    password = PasswordField()
    display_name = DisplayNameField(required=False, allow_blank=True)


class ResetPasswordSerializer(VerifyCodeSerializer):
    """A new password, with the code of the mail. Any text is a try at the code."""

    password = PasswordField()


class ChangeEmailSerializer(serializers.Serializer):
    """Another address. It takes the password, if there is one."""

    email = NormalizedEmailField()
    password = PasswordField(required=False)


class ConfirmEmailSerializer(serializers.Serializer):
    """The code that went to it."""

    code = serializers.CharField(max_length=16, help_text="The six digits of the mail.")


class DetailSerializer(serializers.Serializer):
    """A sentence for people."""

    detail = serializers.CharField(read_only=True)


class TokenPairSerializer(serializers.Serializer):
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


class VerifiedLoginSerializer(TokenPairSerializer):
    """Tokens, and whose they are."""

    access = serializers.CharField(read_only=True, source="tokens.access")
    refresh = serializers.CharField(read_only=True, source="tokens.refresh")
    user = ProfileSerializer(read_only=True)


class SessionSerializer(serializers.Serializer):
    """One of one's own sign-ins. `last_used_at` moves with each refresh."""

    id = serializers.UUIDField(read_only=True)
    device = serializers.SerializerMethodField(help_text="Words for `user_agent`, such as “Firefox on Windows”.")
    user_agent = serializers.CharField(read_only=True, help_text="What the device's software called itself.")
    ip = serializers.IPAddressField(read_only=True, allow_null=True, help_text="From where it signed in.")
    created_at = serializers.DateTimeField(read_only=True)
    last_used_at = serializers.DateTimeField(read_only=True)
    expires_at = serializers.DateTimeField(read_only=True, help_text="Unless it is refreshed, and 90 days at most.")
    current = serializers.SerializerMethodField(help_text="Whether it is the one of this request's token.")

    def get_device(self, sign_in: Session) -> str:
        """Return it."""
        return describe(sign_in.user_agent)

    def get_current(self, sign_in: Session) -> bool:
        """Return it."""
        return sign_in.pk == session_id_of(self.context["request"])
