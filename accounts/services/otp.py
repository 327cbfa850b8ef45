"""One-time codes that are mailed, and sign-in by them: proof of reading a mailbox, no strong factor (NIST 800-63B-4).

Lock order: the network's guard, the address's guard, the account. Under the address's guard everything that happens
to its codes happens one after the other, whatever they are for: all of them share its limits and its failures.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.utils.crypto import constant_time_compare, salted_hmac

from accounts.errors import InvalidCode
from accounts.models import FailedAttempts, OneTimeCode, Session, User, normalize_email
from accounts.services import lockout, tokens
from accounts.signals import code_requested
from auctioncraft.core import clock
from auctioncraft.core.client_ip import ip_prefix
from auctioncraft.core.errors import TooManyRequests

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from django.db.models import QuerySet

CODE_LIFETIME = timedelta(minutes=10)
ADDRESS_LIMITS = ((1, timedelta(minutes=1)), (5, timedelta(hours=1)))
NETWORK_LIMIT = (20, timedelta(hours=1))

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class VerifiedLogin:
    """Who proved to read an address's mail, and their new tokens."""

    user: User
    tokens: tokens.TokenPair


def request_code(
    *,
    email: str,
    ip: str | None,
    purpose: OneTimeCode.Purpose = OneTimeCode.Purpose.SIGN_IN,
    account: User | None = None,
    pending_password: str = "",
    pending_display_name: str = "",
) -> OneTimeCode:
    """Issue a code, good for 10 minutes; every older one of the address is void. `code_requested` has it mailed.

    Whether there is an account is not even looked up: the same work for every address. `pending_password` is a hash;
    `account`, to change its address, is who asks. Raises TooManyRequests: 1 a minute and 5 an hour per address, 20 an
    hour per IP (IPv6: per /64), whatever the codes are for.
    """
    email, network = normalize_email(email), ip_prefix(ip)
    with transaction.atomic():
        if network:
            lockout.lock_attempts(FailedAttempts.Kind.NETWORK, network)
        lockout.lock_attempts(FailedAttempts.Kind.CODE, email)
        now = clock.now()
        _refuse_flood(email, network, now)
        OneTimeCode.objects.filter(email=email, consumed_at__isnull=True).update(consumed_at=now)
        code = OneTimeCode.objects.create(
            email=email,
            purpose=purpose,
            account=account,
            nonce=secrets.token_hex(16),
            pending_password=pending_password,
            pending_display_name=pending_display_name,
            ip=network,
            created_at=now,
            expires_at=now + CODE_LIFETIME,
        )
        code_requested.send(sender=OneTimeCode, code=code)
    return code


def derive_code(code: OneTimeCode) -> str:
    """Return the six digits: for whoever mails or compares them, and for nobody to keep.

    HMAC-SHA-256 of the nonce under a key derived from SECRET_KEY; the bias of the remainder is below 2^-230.
    """
    value = f"{code.nonce}:{code.purpose}:{code.email}"
    digest = salted_hmac("accounts.services.otp", value, algorithm="sha256").digest()
    return f"{int.from_bytes(digest) % 10**6:06d}"


def verify_code(*, email: str, code: str, user_agent: str = "", ip: str | None = None) -> VerifiedLogin:
    """Sign in by the address's live code, which is used up; a first verified address becomes an account.

    Raises as consume_code.
    """

    def sign_in(row: OneTimeCode, account: User | None, now: datetime) -> VerifiedLogin:
        user = _verified_account(account or _new_account(row, now), row, now)
        return VerifiedLogin(user, tokens.sign_in(user=user, user_agent=user_agent, ip=ip))

    return consume_code(email=email, code=code, purpose=OneTimeCode.Purpose.SIGN_IN, work=sign_in)


def consume_code(
    *,
    email: str,
    code: str,
    purpose: OneTimeCode.Purpose,
    work: Callable[[OneTimeCode, User | None, datetime], Result | None],
) -> Result:
    """Do `work` if this is the address's live code for that purpose, which is used up; return what it returns.

    `work` gets the code, its account (locked; the address's, or who asked for the address; None if there is none) and
    the time, in this transaction. If it returns None the code opens nothing.

    Raises InvalidCode, one and the same for all that can be wrong; TooManyRequests after 5 wrong guesses within
    10 minutes since the last success, or 10 within the hour, without comparing.
    """
    email = normalize_email(email)
    result = None
    with transaction.atomic():
        guard = lockout.lock_attempts(FailedAttempts.Kind.CODE, email)
        now = clock.now()
        lockout.check_not_locked_out(guard, now)
        live = OneTimeCode.objects.filter(email=email, purpose=purpose, consumed_at__isnull=True, expires_at__gt=now)
        row = live.first()
        # Without a code the same work is done, on one that nobody has.
        right = constant_time_compare(derive_code(row or OneTimeCode(email=email)), code)
        if row is not None and right:
            account = _locked(row)
            may = account is None or account.is_active
            if may and live.filter(pk=row.pk).update(consumed_at=now):
                result = work(row, account, now)
        if result is not None:
            lockout.record_success(guard)
        elif not _was_issued(email, code, now):
            lockout.record_failure(guard, now)
    # Only now: raised inside, it would roll back the count.
    if result is None:
        raise InvalidCode
    return result


def _refuse_flood(email: str, network: str | None, now: datetime) -> None:
    codes = OneTimeCode.objects
    waits = [_wait(codes.filter(email=email), limit, window, now) for limit, window in ADDRESS_LIMITS]
    if network:
        waits.append(_wait(codes.filter(ip=network), *NETWORK_LIMIT, now))
    if wait := max(waits):
        raise TooManyRequests("Too many codes were asked for. Try again later.", retry_after=wait)


def _wait(codes: QuerySet[OneTimeCode], limit: int, window: timedelta, now: datetime) -> int:
    recent = codes.filter(created_at__gt=now - window).order_by("-created_at")
    moments = list(recent.values_list("created_at", flat=True)[limit - 1 : limit])
    return lockout.seconds_until(moments[0] + window, now) if moments else 0


def _was_issued(email: str, digits: str, now: datetime) -> bool:
    """Tell a code of the last 10 minutes that was used or superseded from a guess: a double click is none."""
    codes = OneTimeCode.objects.filter(email=email, expires_at__gt=now)
    return any([constant_time_compare(derive_code(code), digits) for code in codes])  # noqa: C419 (all: the time tells nothing)


def _locked(code: OneTimeCode) -> User | None:
    accounts = User.objects.select_for_update(no_key=True)
    return accounts.filter(pk=code.account_id).first() if code.account_id else accounts.filter(email=code.email).first()


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
    Session.objects.filter(user=user, ended_at__isnull=True).update(ended_at=now)
    return user
