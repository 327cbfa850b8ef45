"""Access and refresh tokens.

A sign-in is a family of refresh tokens of which one is good at a time (refresh token rotation, RFC 9700 section
4.14.2). The database holds only the SHA-256 of that one; the tokens themselves are the client's alone.
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

# However often it is refreshed: then one proves again who one is (NIST SP 800-63B, 4.1.3: at least every 30 days is
# advised at the lowest level; a marketplace that people visit now and then allows more, and docs/security.md says so).
MAX_SESSION_AGE = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Credential:
    """What a token says: whose, of which sign-in, and under which version of the account."""

    user_id: int
    session_id: UUID
    version: int


@dataclass(frozen=True, slots=True)
class TokenPair:
    """What a client holds: the access token (15 minutes) and the refresh token (14 days)."""

    access: str
    refresh: str


def sign_in(*, user: User, user_agent: str, ip: str | None) -> TokenPair:
    """Open a sign-in and return its first tokens; `new_device_signed_in` tells of a device not seen before.

    They carry the `token_version` of the instance given: should the account change meanwhile, they never work.
    Raises NotAuthenticated if it was erased.
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
            new_device_signed_in.send(sender=Session, user=user, sign_in=row)
    return pair


def read_access_token(token: str) -> Credential:
    """Verify an access token's signature, type and expiry, without a query. Raises NotAuthenticated."""
    return _read(AccessToken, token)


def rotate_refresh_token(*, refresh: str) -> TokenPair:
    """Exchange a refresh token for new tokens; the sign-in lasts 14 days from now, but 90 from its beginning at most.

    However many come with the same token, one gets an answer. A spent token that comes back was copied, and nobody
    can tell which of the two holders is the thief: the family ends (RFC 9700 section 4.14.2). Raises NotAuthenticated.
    """
    held = _read(RefreshToken, refresh)
    pair = _issue(held)
    now = clock.now()
    # All that must hold stands on the updated row itself: whoever waited for its lock sees it checked again.
    # As a join Django would make it a subquery, which PostgreSQL does not evaluate anew.
    updated = (
        _live(held, now)
        .filter(token_hash=_hash(refresh))
        .update(
            token_hash=_hash(pair.refresh),
            last_used_at=now,
            expires_at=Least(now + RefreshToken.lifetime, F("created_at") + MAX_SESSION_AGE),
        )
    )
    if not updated:
        _end_if_spent(held, refresh)
        raise NotAuthenticated
    return pair


def sign_out(*, refresh: str, everywhere: bool = False) -> None:
    """Sign out: end the sign-in of this refresh token; with `everywhere`, all of the account's.

    Quiet if that sign-in has ended already; `everywhere` takes the one good token. Raises NotAuthenticated.
    """
    held = _read(RefreshToken, refresh)
    now = clock.now()
    if not everywhere:
        _not_ended(held).update(ended_at=now)
        return
    with transaction.atomic():
        row = _live(held, now).filter(token_hash=_hash(refresh)).select_related("user").first()
        if row is not None:
            end_all_sessions(user=row.user)
    if row is None:
        _end_if_spent(held, refresh)
        raise NotAuthenticated


def end_all_sessions(*, user: User) -> None:
    """End every sign-in of the account, and by its version every token that was ever issued for it."""
    with transaction.atomic():
        User.objects.filter(pk=user.pk).update(token_version=F("token_version") + 1)
        Session.objects.filter(user_id=user.pk, ended_at__isnull=True).update(ended_at=clock.now())
    user.refresh_from_db(fields=["token_version"])


def end_other_sessions(*, user: User, but: UUID) -> None:
    """End every sign-in of the account but one. Their access tokens go with them, for each is held to its sign-in."""
    Session.objects.filter(user_id=user.pk, ended_at__isnull=True).exclude(pk=but).update(ended_at=clock.now())


def _is_new_device(row: Session) -> bool:
    others = Session.objects.filter(user_id=row.user_id).exclude(pk=row.pk)
    # A network is none on a Unix socket: then no network is the same one.
    here = others.filter(network=row.network) if row.network else others.filter(network__isnull=True)
    return not here.filter(user_agent=row.user_agent).exists() and others.exists()


def _live(held: Credential, now: datetime) -> QuerySet[Session]:
    active = User.objects.filter(pk=OuterRef("user_id"), is_active=True, token_version=held.version)
    return _not_ended(held).filter(Exists(active), expires_at__gt=now)


def _not_ended(held: Credential) -> QuerySet[Session]:
    return Session.objects.filter(pk=held.session_id, user_id=held.user_id, ended_at__isnull=True)


def _end_if_spent(held: Credential, refresh: str) -> None:
    with transaction.atomic():
        row = (
            _not_ended(held)
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
        claims = kind(token)  # type: ignore[arg-type]  # simplejwt names the wrong type: it is the text
        return Credential(int(claims["sub"]), UUID(str(claims["sid"])), int(claims["ver"]))
    except (TokenError, KeyError, ValueError, TypeError) as error:
        raise NotAuthenticated from error


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
