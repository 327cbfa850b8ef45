"""One-time codes sent by email, and signing in with them. A code proves access to a mailbox (NIST SP 800-63B-4).

Lock order: the failed attempts of the network, those of the address, the account. The lock of the address serializes
everything that happens to its codes: all purposes share its limits and its failures.
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
    """A user who signed in with a code, and their new tokens."""

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
    """Create a code that expires in 10 minutes, and replace all earlier codes of the address.

    The receiver of `code_requested` mails it. The work is the same whether or not the address has an account.
    `pending_password` is a hash; `account` is the user who wants the address. Raises TooManyRequests: one code a minute
    and five an hour per address, 20 an hour per IP address (IPv6: per /64), for all purposes together.
    """
    email, network = normalize_email(email), ip_prefix(ip)
    with transaction.atomic():
        if network:
            lockout.lock_attempts(FailedAttempts.Kind.NETWORK, network)
        lockout.lock_attempts(FailedAttempts.Kind.CODE, email)
        now = clock.now()
        _check_limits(email, network, now)
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
    """Return the six digits. Use them only to mail or compare them; never store or log them.

    HMAC-SHA-256 of the nonce with a key derived from SECRET_KEY; the bias of the remainder is below 2^-230.
    """
    value = f"{code.nonce}:{code.purpose}:{code.email}"
    digest = salted_hmac("accounts.services.otp", value, algorithm="sha256").digest()
    return f"{int.from_bytes(digest) % 10**6:06d}"


def verify_code(*, email: str, code: str, user_agent: str = "", ip: str | None = None) -> VerifiedLogin:
    """Sign in with a code. If the address has no account, one is created. Raises as consume_code."""

    def sign_in(row: OneTimeCode, account: User | None, now: datetime) -> VerifiedLogin:
        user = _verified_account(account or _new_account(row, now), row, now)
        return VerifiedLogin(user, tokens.sign_in(user=user, user_agent=user_agent, ip=ip))

    return consume_code(email=email, code=code, purpose=OneTimeCode.Purpose.SIGN_IN, use=sign_in)


def consume_code(
    *,
    email: str,
    code: str,
    purpose: OneTimeCode.Purpose,
    use: Callable[[OneTimeCode, User | None, datetime], Result | None],
) -> Result:
    """Call `use` if this is the address's current code for the purpose, and return its result. The code works once.

    `use` is called in this transaction with the code, its account (locked; the account that requested the address for
    CHANGE_EMAIL, otherwise the address's, or None) and the time. If it returns None, the code counts as wrong.

    Raises InvalidCode for every reason, so that they cannot be distinguished, and TooManyRequests as
    lockout.check_not_locked_out, without comparing.
    """
    email = normalize_email(email)
    result = None
    with transaction.atomic():
        attempts = lockout.lock_attempts(FailedAttempts.Kind.CODE, email)
        now = clock.now()
        lockout.check_not_locked_out(attempts, now)
        usable = OneTimeCode.objects.filter(email=email, purpose=purpose, consumed_at__isnull=True, expires_at__gt=now)
        row = usable.first()
        # Without a code, the same work is done with an empty one.
        is_right = constant_time_compare(derive_code(row or OneTimeCode(email=email)), code)
        if row is not None and is_right:
            account = _locked(row)
            is_enabled = account is None or account.is_active
            if is_enabled and usable.filter(pk=row.pk).update(consumed_at=now):
                result = use(row, account, now)
        if result is not None:
            lockout.record_success(attempts)
        elif not _was_issued(email, code, now):
            lockout.record_failure(attempts, now)
    # After the transaction, so that the failure is counted.
    if result is None:
        raise InvalidCode
    return result


def _check_limits(email: str, network: str | None, now: datetime) -> None:
    codes = OneTimeCode.objects
    waits = [_wait(codes.filter(email=email), limit, window, now) for limit, window in ADDRESS_LIMITS]
    if network:
        waits.append(_wait(codes.filter(ip=network), *NETWORK_LIMIT, now))
    if wait := max(waits):
        raise TooManyRequests("Too many codes were requested. Please try again later.", retry_after=wait)


def _wait(codes: QuerySet[OneTimeCode], limit: int, window: timedelta, now: datetime) -> int:
    recent = codes.filter(created_at__gt=now - window).order_by("-created_at")
    moments = list(recent.values_list("created_at", flat=True)[limit - 1 : limit])
    return lockout.seconds_until(moments[0] + window, now) if moments else 0


def _was_issued(email: str, digits: str, now: datetime) -> bool:
    """Return whether this was a real code in the last 10 minutes. A code used twice (a double click) is no guess."""
    codes = OneTimeCode.objects.filter(email=email, expires_at__gt=now)
    return any([constant_time_compare(derive_code(code), digits) for code in codes])  # noqa: C419 (compares all, in constant time)


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
        # A registration with a password was faster.
        return User.objects.select_for_update(no_key=True).get(email=code.email)
    return user


def _verified_account(user: User, code: OneTimeCode, now: datetime) -> User:
    """Verify the account's address, if it is not verified.

    Anybody may have registered the unverified account, so its password and sessions are removed, unless the password
    waited for this very code. Once verified, a pending password has no effect: otherwise an attacker could register
    a user's address again and wait for them to enter a code.
    """
    if user.email_verified_at is not None:
        return user
    user.set_password_hash(code.pending_password or make_password(None))
    user.display_name = code.pending_display_name or user.display_name
    user.email_verified_at = now
    user.save(update_fields=["password", "token_version", "display_name", "email_verified_at"])
    Session.objects.filter(user=user, ended_at__isnull=True).update(ended_at=now)
    return user
