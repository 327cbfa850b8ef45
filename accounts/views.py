"""Signing in, sessions and registration over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin
from rest_framework.permissions import AllowAny
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from accounts import serializers
from accounts.authentication import access_token_of, current_user
from accounts.filters import LogoutParameters
from accounts.models import Session
from accounts.services import otp, password_reset, passwords, registration, sessions, tokens
from auctioncraft.api.filters import read_parameters
from auctioncraft.api.parse_body import ParseBodyMixin, read_body
from auctioncraft.api.throttling import BY_METHOD
from auctioncraft.api.viewsets import NoStoreViewSet
from auctioncraft.core.client_ip import client_ip, user_agent

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request

# An id that is no UUID is answered with 404.
UUID_PATTERN = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
CODE_SENT = "If this address can receive email, a code is on its way. It expires in 10 minutes."


class PublicViewSet(NoStoreViewSet):
    """For clients without an access token. An expired one in the header is ignored."""

    authentication_classes = ()
    permission_classes = (AllowAny,)


class OtpViewSet(PublicViewSet):
    """Sign in with a one-time code."""

    @extend_schema(request=serializers.RequestCodeSerializer, responses=serializers.DetailSerializer)
    @action(detail=False, methods=["post"], url_path="request")
    def request_code(self, request: Request) -> Response:
        """Email a six-digit code to an address. The response does not tell whether the address has an account.

        Limits: one code a minute and five an hour per address, 20 an hour per IP address. Beyond that: 429. Requests
        from networks where you signed in before do not count with those of others. While many wrong codes are tried on
        this site, codes have eight digits.
        """
        otp.request_code(**read_body(serializers.RequestCodeSerializer, request), ip=client_ip(request))
        return Response({"detail": CODE_SENT})

    @extend_schema(request=serializers.VerifyCodeSerializer, responses=serializers.VerifiedLoginSerializer)
    @action(detail=False, methods=["post"])
    def verify(self, request: Request) -> Response:
        """Sign in with the code. If the address has no account, one is created.

        The first code of an account that was registered with a password and used since gives you a new, clean account,
        because another person may have registered your address. To keep the account and all that was made with it, send
        its `password` or the access token of a session of it.

        400 `invalid_code` if the code is wrong, used or expired; 401 `invalid_credentials` if the password is wrong, or
        `token_not_valid` if the access token has expired; 429 after five wrong codes.
        """
        login = otp.verify_code(
            **read_body(serializers.VerifyCodeSerializer, request),
            access_token=access_token_of(request),
            user_agent=user_agent(request),
            ip=client_ip(request),
        )
        return Response(serializers.VerifiedLoginSerializer(login).data)


class TokenViewSet(PublicViewSet):
    """Get tokens with a password or a refresh token."""

    throttle_scope = BY_METHOD

    @extend_schema(request=serializers.PasswordLoginSerializer, responses={200: serializers.TokenPairSerializer})
    def create(self, request: Request) -> Response:
        """Sign in with a password. `username` is the email address; `email` is accepted too.

        401 `invalid_credentials`; 403 `password_sign_in_disabled` if the operator disabled passwords; 429 after five
        wrong passwords.
        """
        ip = client_ip(request)
        user = passwords.authenticate_password(**read_body(serializers.PasswordLoginSerializer, request), ip=ip)
        pair = tokens.sign_in(user=user, user_agent=user_agent(request), ip=ip)
        return Response(serializers.TokenPairSerializer(pair).data)

    @extend_schema(request=serializers.RefreshSerializer, responses=serializers.TokenPairSerializer)
    # Nothing can be guessed here, and every client calls it each quarter of an hour.
    @action(detail=False, methods=["post"], throttle_scope="writes")
    def refresh(self, request: Request) -> Response:
        """Exchange a refresh token for new tokens. It works once.

        Within 10 seconds it gets the same new refresh token again, so that two tabs or a lost answer do no harm. If it
        is used again later, the session ends (401).
        """
        pair = tokens.rotate_refresh_token(**read_body(serializers.RefreshSerializer, request))
        return Response(serializers.TokenPairSerializer(pair).data)


class PasswordViewSet(PublicViewSet):
    """Reset a forgotten password."""

    @extend_schema(request=serializers.RequestCodeSerializer, responses=serializers.DetailSerializer)
    @action(detail=False, methods=["post"])
    def reset(self, request: Request) -> Response:
        """Email a code for a new password. The response does not tell whether the address has an account.

        Same limits as for sign-in codes. 403 `password_sign_in_disabled` if the operator disabled passwords.
        """
        password_reset.request_reset(**read_body(serializers.RequestCodeSerializer, request), ip=client_ip(request))
        return Response({"detail": CODE_SENT})

    @extend_schema(request=serializers.ResetPasswordSerializer, responses=serializers.VerifiedLoginSerializer)
    @action(detail=False, methods=["post"], url_path="reset/confirm")
    def confirm_reset(self, request: Request) -> Response:
        """Set a new password with the code, end all sessions of the account, and sign in.

        400 `invalid_code` if the code is wrong, used or expired; 429 after five wrong codes.
        """
        login = password_reset.reset(
            **read_body(serializers.ResetPasswordSerializer, request),
            access_token=access_token_of(request),
            user_agent=user_agent(request),
            ip=client_ip(request),
        )
        return Response(serializers.VerifiedLoginSerializer(login).data)


class SessionViewSet(ParseBodyMixin, NoStoreViewSet, ListModelMixin, GenericViewSet):
    """The devices on which the user is signed in."""

    queryset = Session.objects.all()
    serializer_class = serializers.SessionSerializer
    lookup_value_regex = UUID_PATTERN

    def get_queryset(self) -> QuerySet[Session]:
        """Return the user's active sessions."""
        return sessions.active_sessions(user=current_user(self.request))

    @extend_schema(request=None, responses={204: OpenApiResponse(description="The session ended.")})
    def destroy(self, request: Request, pk: str) -> Response:
        """End a session and its tokens. The current session can be ended too."""
        sessions.end_session(user=current_user(request), session_id=UUID(pk))
        return Response(status=status.HTTP_204_NO_CONTENT)


class LogoutViewSet(PublicViewSet):
    """Sign out."""

    throttle_scope = "writes"  # nothing can be guessed here

    @extend_schema(
        request=serializers.RefreshSerializer,
        responses={204: OpenApiResponse(description="Signed out.")},
        parameters=[OpenApiParameter("everywhere", bool, description="End all sessions of the account.")],
    )
    def create(self, request: Request) -> Response:
        """End the session of the refresh token, including its access token."""
        everywhere = bool(read_parameters(LogoutParameters, request)["everywhere"])
        tokens.sign_out(**read_body(serializers.RefreshSerializer, request), everywhere=everywhere)
        return Response(status=status.HTTP_204_NO_CONTENT)


class RegistrationViewSet(PublicViewSet):
    """Register an account."""

    @extend_schema(auth=[], request=serializers.RegisterSerializer, responses={201: serializers.RegisteredSerializer})
    @action(detail=False, methods=["post"])
    def register(self, request: Request) -> Response:
        """Create an account with a password. 400 `email_taken` if the address has an account.

        400 `display_name_reserved` or `display_name_taken` if the name pretends to be this site or a seller.

        If the operator requires verification, the response is 201 for every address, a code is emailed, and the
        password works once that code has been verified.
        """
        user = registration.register(**read_body(serializers.RegisterSerializer, request), ip=client_ip(request))
        return Response(serializers.RegisteredSerializer(user).data, status=status.HTTP_201_CREATED)
