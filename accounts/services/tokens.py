"""Access and refresh tokens."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import AccessToken

from auctioncraft.errors import NotAuthenticated


@dataclass(frozen=True, slots=True)
class Credential:
    """What an access token says: whose, of which sign-in, and under which version of the account."""

    user_id: int
    sign_in_id: UUID
    version: int


def read_access(token: str) -> Credential:
    """Verify an access token's signature, type and expiry, without a query. Raises NotAuthenticated."""
    try:
        claims = AccessToken(token)
        return Credential(int(claims["sub"]), UUID(claims["sid"]), int(claims["ver"]))
    except (TokenError, KeyError, ValueError, TypeError) as error:
        raise NotAuthenticated from error
