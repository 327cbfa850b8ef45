"""Sign-in and accounts over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin
from rest_framework.permissions import AllowAny
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet, ViewSet

from accounts import serializers
from accounts.authentication import current_user, session_id_of
from accounts.client_ip import client_ip, user_agent
from accounts.filters import LogoutParameters
from accounts.models import Session
from accounts.serializers_data import DeleteAccountSerializer
from accounts.services import (
    email_change,
    erasure,
    otp,
    password_reset,
    passwords,
    profile,
    registration,
    sessions,
    tokens,
)
from auctioncraft.api.filters import read_parameters
from auctioncraft.api.parse_body import ParseBodyMixin

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request
    from rest_framework.serializers import Serializer

# Of a sign-in's id. What is no UUID is no sign-in's: 404.
UUID_PATTERN = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
CODE_SENT = "If this address can receive mail, a code is on its way. It is good for 10 minutes."


class NoStoreViewSet(ViewSet):
    """Answers that no cache may keep: they hold tokens or personal data (RFC 6749, 5.1)."""

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Mark every answer, refusals too."""
        response = super().finalize_response(request, response, *args, **kwargs)
        response.headers["Cache-Control"] = "no-store"
        return response


class PublicViewSet(NoStoreViewSet):
    """For callers who have no access token yet; a stale one in the header does not get in their way."""

    authentication_classes = ()
    permission_classes = (AllowAny,)


class OtpViewSet(PublicViewSet):
    """Sign-in by a one-time code."""

    @extend_schema(request=serializers.RequestCodeSerializer, responses=serializers.DetailSerializer)
    @action(detail=False, methods=["post"], url_path="request")
    def request_code(self, request: Request) -> Response:
        """Have a six-digit code mailed. The answer is the same whether or not there is an account.

        One a minute and five an hour per address, twenty an hour per IP: else 429.
        """
        otp.request_code(**_read(serializers.RequestCodeSerializer, request), ip=client_ip(request))
        return Response({"detail": CODE_SENT})

    @extend_schema(request=serializers.VerifyCodeSerializer, responses=serializers.VerifiedLoginSerializer)
    @action(detail=False, methods=["post"])
    def verify(self, request: Request) -> Response:
        """Sign in with the code. A first verified address becomes an account.

        400 `invalid_code` for whatever is wrong with it; 429 after five wrong ones.
        """
        given = _read(serializers.VerifyCodeSerializer, request)
        verified = otp.verify_code(**given, user_agent=user_agent(request), ip=client_ip(request))
        return Response(serializers.VerifiedLoginSerializer(verified).data)


class TokenViewSet(PublicViewSet):
    """Tokens by password, and by refresh token."""

    @extend_schema(request=serializers.PasswordLoginSerializer, responses=serializers.TokenPairSerializer)
    def create(self, request: Request) -> Response:
        """Sign in with a password. `username` is the e-mail address; `email` is accepted too.

        401 `invalid_credentials`; 403 `password_sign_in_disabled` where passwords are not in use; 429 after five
        wrong ones.
        """
        user = passwords.authenticate_password(**_read(serializers.PasswordLoginSerializer, request))
        pair = tokens.sign_in(user=user, user_agent=user_agent(request), ip=client_ip(request))
        return Response(serializers.TokenPairSerializer(pair).data)

    @extend_schema(request=serializers.RefreshSerializer, responses=serializers.TokenPairSerializer)
    @action(detail=False, methods=["post"])
    def refresh(self, request: Request) -> Response:
        """Exchange a refresh token for new tokens. It is good once: coming a second time it ends the sign-in (401)."""
        pair = tokens.rotate_refresh_token(**_read(serializers.RefreshSerializer, request))
        return Response(serializers.TokenPairSerializer(pair).data)


class PasswordViewSet(PublicViewSet):
    """A new password for whoever has forgotten theirs."""

    @extend_schema(request=serializers.RequestCodeSerializer, responses=serializers.DetailSerializer)
    @action(detail=False, methods=["post"])
    def reset(self, request: Request) -> Response:
        """Have a code mailed that sets a new password. The answer is the same whether or not there is an account.

        Limits are those of sign-in codes. 403 `password_sign_in_disabled` where passwords are not in use.
        """
        password_reset.request_reset(**_read(serializers.RequestCodeSerializer, request), ip=client_ip(request))
        return Response({"detail": CODE_SENT})

    @extend_schema(request=serializers.ResetPasswordSerializer, responses=serializers.VerifiedLoginSerializer)
    @action(detail=False, methods=["post"], url_path="reset/confirm")
    def confirm_reset(self, request: Request) -> Response:
        """Set the password with that code, end every sign-in of the account, and sign in.

        400 `invalid_code` for whatever is wrong with the code; 429 after five wrong ones.
        """
        given = _read(serializers.ResetPasswordSerializer, request)
        verified = password_reset.reset(**given, user_agent=user_agent(request), ip=client_ip(request))
        return Response(serializers.VerifiedLoginSerializer(verified).data)


class SessionViewSet(ParseBodyMixin, NoStoreViewSet, ListModelMixin, GenericViewSet):
    """Where the caller is signed in. Another's sign-ins are not found."""

    queryset = Session.objects.all()
    serializer_class = serializers.SessionSerializer
    lookup_value_regex = UUID_PATTERN

    def get_queryset(self) -> QuerySet[Session]:
        """Return the caller's, the one used last first."""
        return sessions.active_sessions(user=current_user(self.request))

    @extend_schema(request=None, responses={204: OpenApiResponse(description="Signed out there.")})
    def destroy(self, request: Request, pk: str) -> Response:
        """End one of them: its tokens are refused from now on. The caller's own may be ended too."""
        sessions.end_session(user=current_user(request), session_id=UUID(pk))
        return Response(status=status.HTTP_204_NO_CONTENT)


class LogoutViewSet(PublicViewSet):
    """Signing out."""

    @extend_schema(
        request=serializers.RefreshSerializer,
        responses={204: OpenApiResponse(description="Signed out.")},
        parameters=[OpenApiParameter("everywhere", bool, description="End every sign-in of the account.")],
    )
    def create(self, request: Request) -> Response:
        """End the sign-in that the refresh token belongs to; its access token is refused from now on too."""
        everywhere = read_parameters(LogoutParameters, request)["everywhere"]
        tokens.end(**_read(serializers.RefreshSerializer, request), everywhere=bool(everywhere))
        return Response(status=status.HTTP_204_NO_CONTENT)


class UserViewSet(NoStoreViewSet):
    """Accounts: registering, and one's own."""

    @extend_schema(auth=[], request=serializers.RegisterSerializer, responses={201: serializers.RegisteredSerializer})
    @action(detail=False, methods=["post"], authentication_classes=(), permission_classes=(AllowAny,))
    def register(self, request: Request) -> Response:
        """Make an account with a password. 400 `email_taken` if the address has one.

        Where the operator requires verification the answer is 201 for every address, a code goes out by mail, and the
        password works once that code was verified.
        """
        user = registration.register(**_read(serializers.RegisterSerializer, request), ip=client_ip(request))
        return Response(serializers.RegisteredSerializer(user).data, status=status.HTTP_201_CREATED)

    @extend_schema(responses=serializers.AccountSerializer)
    @action(detail=False, methods=["get"])
    def me(self, request: Request) -> Response:
        """Show one's own account."""
        return Response(serializers.AccountSerializer(request.user).data)

    @extend_schema(request=serializers.ProfileUpdateSerializer, responses=serializers.AccountSerializer)
    @me.mapping.patch
    def update_me(self, request: Request) -> Response:
        """Change the display name, the password, or how one is told of what.

        A new password ends every sign-in: sign in again with it. 400 if `notifications` names a kind that cannot be
        switched off; what it does not name stays.
        """
        given = _read(serializers.ProfileUpdateSerializer, request)
        user = profile.update_profile(user=current_user(request), **given)
        return Response(serializers.AccountSerializer(user).data)

    @extend_schema(request=DeleteAccountSerializer, responses={204: OpenApiResponse(description="Erased.")})
    @me.mapping.delete
    def erase_me(self, request: Request) -> Response:
        """Erase one's account for good. It takes the password, if there is one.

        Bids and sales stay on record, as those of a deleted member. 409 `account_in_use` while there is something
        under way, with all `reasons`: `leading`, `has_bids` (an auction of one's own), `second_chance`, each with its
        `product`; `unpaid_order`, on either side, with its `order`; `staff`.
        """
        erasure.erase_account(user=current_user(request), **_read(DeleteAccountSerializer, request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=serializers.ChangeEmailSerializer, responses=serializers.DetailSerializer)
    @action(detail=False, methods=["post"], url_path="me/email")
    def change_email(self, request: Request) -> Response:
        """Have a code mailed to another address. The answer is the same whether or not somebody has that one.

        It takes the password, if there is one. The present address is told. Limits are those of sign-in codes.
        """
        given = _read(serializers.ChangeEmailSerializer, request)
        email_change.request_change(user=current_user(request), **given, ip=client_ip(request))
        return Response({"detail": CODE_SENT})

    @extend_schema(request=serializers.ConfirmEmailSerializer, responses=serializers.AccountSerializer)
    @action(detail=False, methods=["post"], url_path="me/email/confirm")
    def confirm_email(self, request: Request) -> Response:
        """Take the address that was last asked for, with the code that went to it. Every other sign-in ends.

        400 `invalid_code` for whatever is wrong with the code; 429 after five wrong ones.
        """
        given = _read(serializers.ConfirmEmailSerializer, request)
        user = email_change.confirm_change(user=current_user(request), **given, session_id=session_id_of(request))
        return Response(serializers.AccountSerializer(user).data)


def _read(shape: type[Serializer], request: Request) -> dict[str, Any]:
    """Return the validated body; fields that the shape does not name are not there."""
    body = shape(data=request.data)
    body.is_valid(raise_exception=True)
    given: dict[str, Any] = body.validated_data
    return given
