"""Sign-in by a one-time code that is mailed (an out-of-band authenticator, NIST SP 800-63B section 5.1.3).

Lock order: the network's guard, the address's guard, the account. Under the address's guard everything that happens
to its codes happens one after the other.
"""

from __future__ import annotations

import ipaddress
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.utils.crypto import constant_time_compare, salted_hmac

from accounts.errors import InvalidCode
from accounts.models import Guard, OneTimeCode, SignIn, User, normalise_email
from accounts.services import guards, tokens
from accounts.signals import code_requested
from auctioncraft import clock
from auctioncraft.errors import TooManyRequests

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models import QuerySet

LIFETIME = timedelta(minutes=10)
PER_ADDRESS = ((1, timedelta(minutes=1)), (5, timedelta(hours=1)))
PER_NETWORK = (20, timedelta(hours=1))


@dataclass(frozen=True, slots=True)
class Verified:
    """Who proved to read an address's mail, and their new tokens."""

    user: User
    tokens: tokens.Pair


def request_code(
    *, email: str, ip: str | None, pending_password: str = "", pending_display_name: str = ""
) -> OneTimeCode:
    """Issue a code, good for 10 minutes; every older one of the address is void. `code_requested` has it mailed.

    Whether there is an account is not even looked up: the same work for every address. `pending_password` is a hash.
    Raises TooManyRequests: 1 a minute and 5 an hour per address, 20 an hour per IP (IPv6: per /64).
    """
    email, network = normalise_email(email), _network(ip)
    with transaction.atomic():
        if network:
            guards.lock(Guard.Kind.NETWORK, network)
        guards.lock(Guard.Kind.CODE, email)
        now = clock.now()
        _refuse_flood(email, network, now)
        OneTimeCode.objects.filter(email=email, used_at__isnull=True).update(used_at=now)
        code = OneTimeCode.objects.create(
            email=email,
            nonce=secrets.token_hex(16),
            pending_password=pending_password,
            pending_display_name=pending_display_name,
            ip=network,
            created_at=now,
            expires_at=now + LIFETIME,
        )
        code_requested.send(sender=OneTimeCode, code=code)
    return code


def reveal(code: OneTimeCode) -> str:
    """Return the six digits: for whoever mails or compares them, and for nobody to keep.

    HMAC-SHA-256 of the nonce under a key derived from SECRET_KEY; the bias of the remainder is below 2^-230.
    """
    value = f"{code.nonce}:{code.email}"
    digest = salted_hmac("accounts.services.otp", value, algorithm="sha256").digest()
    return f"{int.from_bytes(digest) % 10**6:06d}"


def verify_code(*, email: str, code: str, user_agent: str = "", ip: str | None = None) -> Verified:
    """Sign in by the address's live code, which is used up; a first verified address becomes an account.

    Raises InvalidCode, one and the same for all that can be wrong; TooManyRequests after 5 wrong guesses within
    10 minutes since the last success, or 10 within the hour, without comparing.
    """
    email = normalise_email(email)
    verified = None
    with transaction.atomic():
        guard = guards.lock(Guard.Kind.CODE, email)
        now = clock.now()
        guards.refuse_if_blocked(guard, now)
        user = _redeem(email, code, now)
        if user is None:
            if not _was_issued(email, code, now):
                guards.failed(guard, now)
        else:
            guards.succeeded(guard)
            verified = Verified(user, tokens.sign_in(user=user, user_agent=user_agent, ip=ip))
    # Only now: raised inside, it would roll back the count.
    if verified is None:
        raise InvalidCode
    return verified


def _network(ip: str | None) -> str | None:
    """Return what one subscriber has: an IPv4 address, or the /64 of an IPv6 one, since they have all 2^64 in it."""
    if ip is None or ":" not in ip:
        return ip
    return str(ipaddress.IPv6Network(f"{ip}/64", strict=False).network_address)


def _refuse_flood(email: str, network: str | None, now: datetime) -> None:
    codes = OneTimeCode.objects
    waits = [_wait(codes.filter(email=email), limit, window, now) for limit, window in PER_ADDRESS]
    if network:
        waits.append(_wait(codes.filter(ip=network), *PER_NETWORK, now))
    if wait := max(waits):
        raise TooManyRequests("Too many codes were asked for. Try again later.", retry_after=wait)


def _wait(codes: QuerySet[OneTimeCode], limit: int, window: timedelta, now: datetime) -> int:
    recent = codes.filter(created_at__gt=now - window).order_by("-created_at")
    moments = list(recent.values_list("created_at", flat=True)[limit - 1 : limit])
    return guards.seconds_until(moments[0] + window, now) if moments else 0


def _redeem(email: str, digits: str, now: datetime) -> User | None:
    live = OneTimeCode.objects.filter(email=email, used_at__isnull=True, expires_at__gt=now)
    code = live.first()
    # Without a code the same work is done, on one that nobody has.
    right = constant_time_compare(reveal(code or OneTimeCode(email=email)), digits)
    user = _locked(email)
    if code is None or not right or (user is not None and not user.is_active):
        return None
    if not live.filter(pk=code.pk).update(used_at=now):
        return None
    return _verified_account(user or _new_account(code, now), code, now)


def _was_issued(email: str, digits: str, now: datetime) -> bool:
    """Tell a code of the last 10 minutes that was used or superseded from a guess: a double click is none."""
    codes = OneTimeCode.objects.filter(email=email, expires_at__gt=now)
    return any(constant_time_compare(reveal(code), digits) for code in codes)


def _locked(email: str) -> User | None:
    return User.objects.select_for_update(no_key=True).filter(email=email).first()


def _new_account(code: OneTimeCode, now: datetime) -> User:
    user = User(email=code.email, password=code.pending_password or make_password(None), email_verified_at=now)
    if code.pending_display_name:
        user.display_name = code.pending_display_name
    try:
        with transaction.atomic():
            user.save(force_insert=True)
    except IntegrityError:
        # A registration by password was a moment faster.
        return User.objects.select_for_update(no_key=True).get(email=code.email)
    return user


def _verified_account(user: User, code: OneTimeCode, now: datetime) -> User:
    """Have the account belong to whoever reads its mail.

    Before its first verification anybody may have made it: its password and sign-ins are dropped, unless the password
    is the one that waited for this very code. Afterwards a waiting password changes nothing: else somebody could
    register another's address again and wait for them to type in a code.
    """
    if user.email_verified_at is not None:
        return user
    user.set_password_hash(code.pending_password or make_password(None))
    user.display_name = code.pending_display_name or user.display_name
    user.email_verified_at = now
    user.save(update_fields=["password", "token_version", "display_name", "email_verified_at"])
    SignIn.objects.filter(user=user, ended_at__isnull=True).update(ended_at=now)
    return user
