"""The first proof of an account's address (ADR 0014).

Anybody can register another person's address with a password and prepare the account: bids, listings, orders. So the
first code verified without that account's password or a live session of it gives the owner of the address a clean
account. What was made before stays with the old row, which is erased; the apps above withdraw it afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.contrib.auth.hashers import make_password

from accounts.errors import InvalidCredentials
from accounts.models import DiscardedAccount, Session, User
from accounts.services import account_erasure, passwords, tokens
from accounts.signals import account_discarded

if TYPE_CHECKING:
    from datetime import datetime

    from accounts.models import OneTimeCode


@dataclass(frozen=True, slots=True)
class Evidence:
    """What shows that the caller holds the account: an access token, or by password (user id, token_version)."""

    access_token: str | None = None
    password_of: tuple[int, int] | None = None
    password_is_wrong: bool = False


def collect_evidence(
    *, email: str, password: str | None = None, access_token: str | None = None, ip: str | None = None
) -> Evidence:
    """Check the password, if one is given. Raises TooManyRequests, before any code is used."""
    if password is None:
        return Evidence(access_token)
    user = User.objects.filter(email=email).first()
    if not passwords.verify_password(user=user, email=email, password=password, ip=ip) or user is None:
        return Evidence(access_token, password_is_wrong=True)
    return Evidence(access_token, (user.pk, user.token_version))


def prove(*, account: User, code: OneTimeCode, evidence: Evidence, now: datetime) -> User:
    """Return the account of who has just verified a code at the locked `account`'s address, marked as verified.

    It is the same account if it was verified before, if the evidence is right, or if nobody ever signed in to it; then
    a password that another person may have set is removed, unless it waited for this very code. Otherwise it is a new
    one. Once verified, a pending password has no effect: an attacker could register a user's address again and wait for
    them to enter a code. A mistake must not cost a member what they made: if the account would be discarded and the
    access token has expired, NotAuthenticated is raised, and for a wrong password InvalidCredentials.
    """
    if account.email_verified_at is not None:
        return account
    was_used = Session.objects.filter(user=account).exists()
    is_holder = _has_password(account, evidence) or (was_used and _has_session(account, evidence))
    if was_used and not is_holder and not account.is_staff:  # operators vouch for staff, whose acts stay on record
        if evidence.password_is_wrong:
            raise InvalidCredentials
        return _replace(account, code, now)
    account.email_verified_at = now
    if not is_holder:
        account.set_password_hash(code.pending_password or make_password(None))
        account.display_name = code.pending_display_name or account.display_name
        Session.objects.filter(user=account, ended_at__isnull=True).update(ended_at=now)
    account.save(update_fields=["password", "token_version", "display_name", "email_verified_at"])
    return account


def discard(account: User) -> None:
    """Erase a locked account whose address another person has proved. Sends `account_discarded`.

    An update of the address conflicts with the lock of services.user_locking, so what the account started before is
    visible once this commits, and what it starts later is refused.
    """
    account_erasure.anonymize(user=account)
    account_discarded.send(sender=User, discarded=DiscardedAccount.objects.create(user=account))


def _replace(account: User, code: OneTimeCode, now: datetime) -> User:
    email = account.email
    discard(account)
    user = User(email=email, password=code.pending_password or make_password(None), email_verified_at=now)
    if code.pending_display_name:
        user.display_name = code.pending_display_name
    user.save(force_insert=True)
    return user


def _has_password(account: User, evidence: Evidence) -> bool:
    return evidence.password_of == (account.pk, account.token_version)


def _has_session(account: User, evidence: Evidence) -> bool:
    if evidence.access_token is None:
        return False
    credential = tokens.read_access_token(evidence.access_token)
    live = Session.objects.filter(pk=credential.session_id, user=account, ended_at__isnull=True)
    return credential.version == account.token_version and live.exists()
