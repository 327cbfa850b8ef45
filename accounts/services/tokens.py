"""Access and refresh tokens.

A session has a family of refresh tokens, of which one is valid at a time (refresh token rotation, RFC 9700, 4.14.2).
Only the SHA-256 of the valid one is stored.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef
from django.db.models.functions import Least
from rest_framework_simplejwt.exceptions import TokenError

from accounts.models import Session, User
from accounts.services import user_locking
from accounts.services.jwt_keys import AccessToken, RefreshToken
from accounts.signals import new_device_signed_in, refresh_token_reused
from auctioncraft.core import clock
from auctioncraft.core.client_ip import device_network
from auctioncraft.core.errors import NotAuthenticated

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models import QuerySet

# However often it is refreshed. NIST SP 800-63B, 4.1.3, advises 30 days; users of a marketplace visit less often
# (docs/security.md).
MAX_SESSION_AGE = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Credential:
    """The claims of a token. `version` is the user's token_version when it was issued."""

    user_id: int
    session_id: UUID
    version: int


@dataclass(frozen=True, slots=True)
class TokenPair:
    """An access token (15 minutes) and a refresh token (14 days)."""

    access: str
    refresh: str


def sign_in(*, user: User, user_agent: str, ip: str | None) -> TokenPair:
    """Create a session and return its first tokens. Sends `new_device_signed_in` for a new device.

    The tokens carry the `token_version` of `user`: if the account changes meanwhile, they never work. Raises
    NotAuthenticated if the account was erased.
    """
    now = clock.now()
    row = Session(user=user, user_agent=user_agent[:200], ip=ip, created_at=now, last_used_at=now)
    row.network = device_network(ip)
    pair = _issue(Credential(user.pk, row.pk, user.token_version))
    row.token_hash = _hash(pair.refresh)
    row.expires_at = now + RefreshToken.lifetime
    with transaction.atomic():
        user_locking.lock_active_user(user_id=user.pk)
        row.save(force_insert=True)
        if _is_new_device(row):
            new_device_signed_in.send(sender=Session, user=user, session=row)
    return pair


def read_access_token(token: str) -> Credential:
    """Verify an access token's signature, type and expiry, without a query. Raises NotAuthenticated."""
    return _read(AccessToken, token)


def rotate_refresh_token(*, refresh: str) -> TokenPair:
    """Exchange a refresh token for new tokens. The session then lasts 14 days, but at most 90 since its start.

    Of parallel requests with the same token one succeeds. A token that is used again was copied, so the session ends
    (RFC 9700, 4.14.2). Raises NotAuthenticated.
    """
    credential = _read(RefreshToken, refresh)
    pair = _issue(credential)
    now = clock.now()
    # All conditions are on the updated row, because PostgreSQL checks them again after waiting for its lock. A join
    # would become a subquery, which is not evaluated again.
    updated = (
        _find_valid(credential, now)
        .filter(token_hash=_hash(refresh))
        .update(
            token_hash=_hash(pair.refresh),
            last_used_at=now,
            expires_at=Least(now + RefreshToken.lifetime, F("created_at") + MAX_SESSION_AGE),
        )
    )
    if not updated:
        _end_if_reused(credential, refresh)
        raise NotAuthenticated
    return pair


def sign_out(*, refresh: str, everywhere: bool = False) -> None:
    """End the session of a refresh token, or all sessions of the user.

    Does nothing if the session has ended. `everywhere` requires the valid token. Raises NotAuthenticated.
    """
    credential = _read(RefreshToken, refresh)
    now = clock.now()
    if not everywhere:
        _find_not_ended(credential).update(ended_at=now)
        return
    with transaction.atomic():
        row = _find_valid(credential, now).filter(token_hash=_hash(refresh)).select_related("user").first()
        if row is not None:
            end_all_sessions(user=row.user)
    if row is None:
        _end_if_reused(credential, refresh)
        raise NotAuthenticated


def end_all_sessions(*, user: User) -> None:
    """End all sessions of the user, and all tokens that were ever issued to them."""
    with transaction.atomic():
        User.objects.filter(pk=user.pk).update(token_version=F("token_version") + 1)
        Session.objects.filter(user_id=user.pk, ended_at__isnull=True).update(ended_at=clock.now())
    user.refresh_from_db(fields=["token_version"])


def end_other_sessions(*, user: User, except_id: UUID) -> None:
    """End all sessions of the user but one, with their access tokens."""
    Session.objects.filter(user_id=user.pk, ended_at__isnull=True).exclude(pk=except_id).update(ended_at=clock.now())


def _is_new_device(row: Session) -> bool:
    others = Session.objects.filter(user_id=row.user_id).exclude(pk=row.pk)
    # A Unix socket has no network.
    here = others.filter(network=row.network) if row.network else others.filter(network__isnull=True)
    return not here.filter(user_agent=row.user_agent).exists() and others.exists()


def _find_valid(credential: Credential, now: datetime) -> QuerySet[Session]:
    active = User.objects.filter(pk=OuterRef("user_id"), is_active=True, token_version=credential.version)
    return _find_not_ended(credential).filter(Exists(active), expires_at__gt=now)


def _find_not_ended(credential: Credential) -> QuerySet[Session]:
    return Session.objects.filter(pk=credential.session_id, user_id=credential.user_id, ended_at__isnull=True)


def _end_if_reused(credential: Credential, refresh: str) -> None:
    with transaction.atomic():
        row = (
            _find_not_ended(credential)
            .exclude(token_hash=_hash(refresh))
            .select_related("user")
            .select_for_update(of=("self",), no_key=True)
            .first()
        )
        if row is None:
            return
        row.ended_at = clock.now()
        row.save(update_fields=["ended_at"])
        refresh_token_reused.send(sender=Session, user=row.user)


def _issue(credential: Credential) -> TokenPair:
    return TokenPair(_signed(AccessToken(), credential), _signed(RefreshToken(), credential))


def _signed(token: AccessToken | RefreshToken, credential: Credential) -> str:
    token["sub"] = str(credential.user_id)
    token["sid"] = str(credential.session_id)
    token["ver"] = credential.version
    return str(token)


def _read(kind: type[AccessToken | RefreshToken], token: str) -> Credential:
    try:
        claims = kind(token)  # type: ignore[arg-type]  # simplejwt declares the wrong type
        return Credential(int(claims["sub"]), UUID(str(claims["sid"])), int(claims["ver"]))
    except (TokenError, KeyError, ValueError, TypeError) as error:
        raise NotAuthenticated from error


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
