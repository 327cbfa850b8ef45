"""Access and refresh tokens.

A session has a family of refresh tokens, of which one is valid at a time (refresh token rotation, RFC 9700, 4.14.2).
Only hashes are stored: of the valid one, and of those used within REUSE_INTERVAL. A successor is derived from the token
that it replaces, the time, and our keys, so that the same one can be given again (ADR 0006).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils.crypto import salted_hmac
from rest_framework_simplejwt.exceptions import TokenError

from accounts.models import Session, User
from accounts.services import known_networks, user_locking
from accounts.services.jwt_keys import AccessToken, RefreshToken
from accounts.signals import new_device_signed_in, refresh_token_reused
from auctioncraft.core import clock
from auctioncraft.core.client_ip import device_network
from auctioncraft.core.errors import NotAuthenticated

if TYPE_CHECKING:
    from django.db.models import QuerySet

# However often it is refreshed. NIST SP 800-63B, 4.1.3, advises 30 days; users of a marketplace visit less often
# (docs/security.md).
MAX_SESSION_AGE = timedelta(days=90)
# Within this time a used refresh token gets the same successor again: two tabs, a lost answer. Later it was copied.
REUSE_INTERVAL = timedelta(seconds=10)


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
        known_networks.record(user_id=user.pk, ip=ip, at=now)
    return pair


def read_access_token(token: str) -> Credential:
    """Verify an access token's signature, type and expiry, without a query. Raises NotAuthenticated."""
    return _read(AccessToken, token)


def rotate_refresh_token(*, refresh: str) -> TokenPair:
    """Exchange a refresh token for new tokens. The session then lasts 14 days, but at most 90 since its start.

    A token has one successor: parallel requests get the same, and so does a repetition within REUSE_INTERVAL. A token
    that is used again later was copied, so the session ends (RFC 9700, 4.14.2). Raises NotAuthenticated.
    """
    credential = _read(RefreshToken, refresh)
    with transaction.atomic():
        row, used_at = _use(credential, refresh)
        successor = _successor(credential, refresh, used_at) if row and used_at else None
        if row and used_at and successor and row.token_hash == _hash(refresh):
            row.spent = [*_recently_spent(row, used_at), [row.token_hash, used_at.timestamp()]]
            row.token_hash, row.last_used_at = _hash(successor), used_at
            row.expires_at = min(used_at + RefreshToken.lifetime, row.created_at + MAX_SESSION_AGE)
            row.save(update_fields=["spent", "token_hash", "last_used_at", "expires_at"])
    # After the transaction, so that the end of a session is kept.
    if successor is None:
        raise NotAuthenticated
    return TokenPair(_signed(AccessToken(), credential), successor)


def sign_out(*, refresh: str, everywhere: bool = False) -> None:
    """End the session of a refresh token, or all sessions of the user.

    Does nothing if the session has ended. `everywhere` requires a token that could be refreshed. Raises
    NotAuthenticated.
    """
    credential = _read(RefreshToken, refresh)
    if not everywhere:
        _find_not_ended(credential).update(ended_at=clock.now())
        return
    with transaction.atomic():
        row, used_at = _use(credential, refresh)
        if row and used_at:
            end_all_sessions(user=row.user)
    if used_at is None:
        raise NotAuthenticated


def end_all_sessions(*, user: User) -> None:
    """End all sessions of the user, at the admin too, and all tokens ever issued; forget the user's networks."""
    with transaction.atomic():
        User.objects.filter(pk=user.pk).update(token_version=F("token_version") + 1)
        Session.objects.filter(user_id=user.pk, ended_at__isnull=True).update(ended_at=clock.now())
        known_networks.forget(user_id=user.pk)
    user.refresh_from_db(fields=["token_version"])


def end_other_sessions(*, user: User, except_id: UUID) -> None:
    """End all sessions of the user but one, with their access tokens."""
    Session.objects.filter(user_id=user.pk, ended_at__isnull=True).exclude(pk=except_id).update(ended_at=clock.now())


def _is_new_device(row: Session) -> bool:
    others = Session.objects.filter(user_id=row.user_id).exclude(pk=row.pk)
    # A Unix socket has no network.
    here = others.filter(network=row.network) if row.network else others.filter(network__isnull=True)
    return not here.filter(user_agent=row.user_agent).exists() and others.exists()


def _find_not_ended(credential: Credential) -> QuerySet[Session]:
    return Session.objects.filter(pk=credential.session_id, user_id=credential.user_id, ended_at__isnull=True)


def _use(credential: Credential, refresh: str) -> tuple[Session | None, datetime | None]:
    """Lock the session of a refresh token; return it, and when the token was used: now, or within REUSE_INTERVAL.

    Without that time the token is refused. If it was used before, the session is ended here.
    """
    # What ends the tokens of a user ends their sessions in the same transaction, and that is seen after a wait.
    locked = _find_not_ended(credential).select_related("user").select_for_update(of=("self",), no_key=True)
    row, now = locked.first(), clock.now()
    if row is None:
        return None, None
    hashed = _hash(refresh)
    is_live = row.user.is_active and row.user.token_version == credential.version and row.expires_at > now
    if hashed == row.token_hash:
        return row, now if is_live else None
    used = [used_at for spent, used_at in _recently_spent(row, now) if spent == hashed]
    if used:
        return row, datetime.fromtimestamp(used[0], UTC) if is_live else None
    row.ended_at = row.reused_at = now
    row.save(update_fields=["ended_at", "reused_at"])
    refresh_token_reused.send(sender=Session, user=row.user)
    return row, None


def _recently_spent(row: Session, now: datetime) -> list[list[Any]]:
    since = (now - REUSE_INTERVAL).timestamp()
    return [[spent, used_at] for spent, used_at in row.spent if used_at > since]


def _successor(credential: Credential, refresh: str, used_at: datetime) -> str:
    """Return the token that replaces a refresh token used at that time: always the same."""
    token = RefreshToken()
    token["jti"] = salted_hmac("accounts.services.tokens.successor", refresh, algorithm="sha256").hexdigest()[:32]
    token.set_iat(at_time=used_at)
    token.set_exp(from_time=used_at, lifetime=RefreshToken.lifetime)
    return _signed(token, credential)


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
