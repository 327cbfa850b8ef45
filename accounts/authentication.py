"""Who is calling: the access token of the Authorization header."""

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
    """Whoever a token names, not looked up yet."""

    pk: int
    is_authenticated: ClassVar[bool] = True

    @property
    def id(self) -> int:
        """The account's id."""
        return self.pk


class TokenAuthentication(BaseAuthentication):
    """The account behind the token, read and checked in one query: disabled, signed out or changed is 401 at once."""

    def __init__(self, *, deferred: bool = False) -> None:
        """`deferred`: verify the signature only, without a query, for a view whose own read checks `request.auth`."""
        self.deferred = deferred

    def authenticate(self, request: Request) -> tuple[Any, Credential] | None:
        """Return the user or DeferredUser, and the credential, or None without a token. Raises NotAuthenticated."""
        credential = _credential(request)
        if credential is None:
            return None
        return DeferredUser(credential.user_id) if self.deferred else self._user(credential), credential

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002 (DRF's signature)
        """Name the scheme for WWW-Authenticate: DRF then answers 401 and not 403."""
        return "Bearer"

    def _user(self, credential: Credential) -> User:
        sign_in = (
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
        if sign_in is None:
            raise NotAuthenticated
        return sign_in.user


def current_user(request: Request) -> User:
    """Return who is calling, where a permission has let nobody in who is not signed in."""
    return cast("User", request.user)


def session_id_of(request: Request) -> UUID:
    """Return the id of the sign-in that the caller's token is of, where `caller` says who is calling."""
    return cast("Credential", request.auth).session_id


def _credential(request: Request) -> Credential | None:
    parts = get_authorization_header(request).split()
    if not parts and "HTTP_AUTHORIZATION" in request.META:
        raise NotAuthenticated  # servers hand a header that is not ASCII on as an empty one
    if not parts or parts[0].lower() != b"bearer":
        return None
    if len(parts) != 2:
        raise NotAuthenticated
    return read_access_token(parts[1].decode("latin-1"))


class _TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the schema describes it. drf-spectacular finds it by being imported."""

    target_class = TokenAuthentication
    match_subclasses = True
    name = "access_token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:  # noqa: ARG002
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
