"""Authenticate requests by the access token in the Authorization header."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, cast

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header

from accounts.models import Session
from accounts.services.tokens import Credential, read_access_token
from auctioncraft.core.errors import NotAuthenticated

if TYPE_CHECKING:
    from uuid import UUID

    from rest_framework.request import Request

    from accounts.models import User


@dataclass(frozen=True, slots=True)
class DeferredUser:
    """The user of a token, not read from the database yet."""

    pk: int
    is_authenticated: ClassVar[bool] = True

    @property
    def id(self) -> int:
        """The user's id."""
        return self.pk


class TokenAuthentication(BaseAuthentication):
    """Read and check the user in one query. 401 as soon as they are disabled, signed out, or have a new password."""

    def __init__(self, *, deferred: bool = False) -> None:
        """`deferred`: verify only the signature, without a query, for views that check `request.auth` themselves."""
        self.deferred = deferred

    def authenticate(self, request: Request) -> tuple[Any, Credential] | None:
        """Return the user or DeferredUser, and the credential, or None without a token. Raises NotAuthenticated."""
        credential = _credential(request)
        if credential is None:
            return None
        return DeferredUser(credential.user_id) if self.deferred else self._user(credential), credential

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002 (DRF's signature)
        """Return the scheme for WWW-Authenticate, so that DRF responds with 401 instead of 403."""
        return "Bearer"

    def _user(self, credential: Credential) -> User:
        session = (
            Session.objects.select_related("user")
            .filter(
                pk=credential.session_id,
                ended_at__isnull=True,
                user_id=credential.user_id,
                user__is_active=True,
                user__token_version=credential.version,
            )
            .first()
        )
        if session is None:
            raise NotAuthenticated
        return session.user


def current_user(request: Request) -> User:
    """Return the authenticated user, in views that require one."""
    return cast("User", request.user)


def session_id_of(request: Request) -> UUID:
    """Return the session id of the request's token, in views that require a user."""
    return cast("Credential", request.auth).session_id


def access_token_of(request: Request) -> str | None:
    """Return the bearer token of a request to a public view, unverified, or None."""
    scheme, _, token = get_authorization_header(request).decode("latin-1").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def _credential(request: Request) -> Credential | None:
    parts = get_authorization_header(request).split()
    if not parts and "HTTP_AUTHORIZATION" in request.META:
        raise NotAuthenticated  # servers pass a non-ASCII header as an empty one
    if not parts or parts[0].lower() != b"bearer":
        return None
    if len(parts) != 2:
        raise NotAuthenticated
    return read_access_token(parts[1].decode("latin-1"))


class _TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The OpenAPI description. drf-spectacular registers it on import."""

    target_class = TokenAuthentication
    match_subclasses = True
    name = "access_token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:  # noqa: ARG002
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
