"""One-time codes sent by email, and signing in with them. A code proves access to a mailbox (NIST SP 800-63B-4).

Lock order: the failed attempts of the network, those of the address, the account. The lock of the address serializes
everything that happens to its codes: all purposes share its limits and its failures. Requests and failures from a
network that the account knows, and of its live sessions, have an allowance of their own (known_networks.py).
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
from accounts.models import FailedAttempts, OneTimeCode, User, normalize_email
from accounts.services import code_alarm, first_proof, known_networks, lockout, tokens
from accounts.signals import code_requested
from auctioncraft.core import clock
from auctioncraft.core.client_ip import ip_prefix, wide_network
from auctioncraft.core.errors import TooManyRequests

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from django.db.models import QuerySet

CODE_LIFETIME = timedelta(minutes=10)
ADDRESS_LIMITS = ((1, timedelta(minutes=1)), (5, timedelta(hours=1)))
# Of an IPv4 address or an IPv6 /64, and of the /24 or /48 around it.
NETWORK_LIMIT = (20, timedelta(hours=1))
WIDE_NETWORK_LIMIT = (100, timedelta(hours=1))

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
    signed_in: bool = False,
) -> OneTimeCode:
    """Create a code that expires in 10 minutes, and replace all earlier codes of the address.

    The receiver of `code_requested` mails it. The work is the same whether or not the address has an account.
    `pending_password` is a hash; `account` is the user who wants the address; `signed_in`: the account asks for a code
    to its own address. Raises TooManyRequests: one code a minute and five an hour per address, 20 an hour per IP
    address (IPv6: per /64) and 100 per /24 (/48), for all purposes together. For a network that the account knows, and
    for its sessions, only what they requested themselves counts.
    """
    email, network, wide = normalize_email(email), ip_prefix(ip), wide_network(ip)
    with transaction.atomic():
        allowance = _find_allowance(email, ip, signed_in=signed_in)
        if wide and not allowance:
            lockout.lock_attempts(FailedAttempts.Kind.NETWORK, wide)
        lockout.lock_attempts(FailedAttempts.Kind.CODE, email)
        now = clock.now()
        _check_limits(email, allowance, network, wide, now)
        OneTimeCode.objects.filter(email=email, consumed_at__isnull=True).update(consumed_at=now)
        code = OneTimeCode.objects.create(
            email=email,
            purpose=purpose,
            account=account,
            nonce=secrets.token_hex(16),
            pending_password=pending_password,
            pending_display_name=pending_display_name,
            digits=code_alarm.choose_digits(now),
            ip=network,
            wide_network=wide,
            allowance=allowance,
            created_at=now,
            expires_at=now + CODE_LIFETIME,
        )
        code_requested.send(sender=OneTimeCode, code=code)
    return code


def derive_code(code: OneTimeCode) -> str:
    """Return the digits, usually six. Use them only to mail or compare them; never store or log them.

    HMAC-SHA-256 of the nonce with a key derived from SECRET_KEY; the bias of the remainder is below 2^-220.
    """
    value = f"{code.nonce}:{code.purpose}:{code.email}"
    digest = salted_hmac("accounts.services.otp", value, algorithm="sha256").digest()
    return f"{int.from_bytes(digest) % 10**code.digits:0{code.digits}d}"


def verify_code(
    *,
    email: str,
    code: str,
    password: str | None = None,
    access_token: str | None = None,
    user_agent: str = "",
    ip: str | None = None,
) -> VerifiedLogin:
    """Sign in with a code. If the address has no account, one is created.

    `password` or `access_token` show that the caller holds the account already; the first proof of an address without
    them gives a clean account (first_proof.py). Raises as consume_code and first_proof.prove.
    """
    email = normalize_email(email)
    # Outside the transaction: hashing is slow.
    evidence = first_proof.collect_evidence(email=email, password=password, access_token=access_token, ip=ip)

    def sign_in(row: OneTimeCode, account: User | None, now: datetime) -> VerifiedLogin:
        user = first_proof.prove(account=account or _new_account(row, now), code=row, evidence=evidence, now=now)
        return VerifiedLogin(user, tokens.sign_in(user=user, user_agent=user_agent, ip=ip))

    return consume_code(email=email, code=code, purpose=OneTimeCode.Purpose.SIGN_IN, use=sign_in, ip=ip)


def consume_code(
    *,
    email: str,
    code: str,
    purpose: OneTimeCode.Purpose,
    use: Callable[[OneTimeCode, User | None, datetime], Result | None],
    ip: str | None = None,
    signed_in: bool = False,
) -> Result:
    """Call `use` if this is the address's current code for the purpose, and return its result. The code works once.

    `use` is called in this transaction with the code, its account (locked; the account that requested the address for
    CHANGE_EMAIL, otherwise the address's, or None) and the time. If it returns None, the code counts as wrong.
    `signed_in`: it is the account's own session that enters the code.

    Raises InvalidCode for every reason, so that they cannot be distinguished, and TooManyRequests as
    lockout.check_not_locked_out, without comparing.
    """
    email = normalize_email(email)
    result = None
    with transaction.atomic():
        counts = _lock_counts(email, ip, signed_in=signed_in)
        now = clock.now()
        for attempts in counts:
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
            lockout.record_success(counts[-1])
        elif not _was_issued(email, code, now):
            for attempts in counts:
                lockout.record_failure(attempts, now)
            code_alarm.record_wrong_code(now)
    # After the transaction, so that the failure is counted.
    if result is None:
        raise InvalidCode
    return result


def _find_allowance(email: str, ip: str | None, *, signed_in: bool) -> str:
    if signed_in:
        return known_networks.SIGNED_IN
    return known_networks.find_allowance(email=email, ip=ip, proved_only=True)


def _lock_counts(email: str, ip: str | None, *, signed_in: bool) -> list[FailedAttempts]:
    """Lock and return what a wrong code counts for, the address last: strangers also count for their network."""
    allowance, wide = _find_allowance(email, ip, signed_in=signed_in), wide_network(ip)
    counts = []
    if wide and not allowance:
        counts.append(lockout.lock_attempts(FailedAttempts.Kind.CODE_NETWORK, wide))
    # This row is locked in any case, because it serializes what happens to the address's codes.
    of_strangers = lockout.lock_attempts(FailedAttempts.Kind.CODE, email)
    if allowance:
        name = lockout.attempts_name(email, allowance)
        counts.append(lockout.lock_attempts(FailedAttempts.Kind.CODE, name))
    else:
        counts.append(of_strangers)
    return counts


def _check_limits(email: str, allowance: str, network: str | None, wide: str, now: datetime) -> None:
    codes = OneTimeCode.objects
    of_address = codes.filter(email=email, allowance=allowance)
    waits = [_wait(of_address, limit, window, now) for limit, window in ADDRESS_LIMITS]
    if network and not allowance:
        waits.append(_wait(codes.filter(ip=network, allowance=""), *NETWORK_LIMIT, now))
        waits.append(_wait(codes.filter(wide_network=wide, allowance=""), *WIDE_NETWORK_LIMIT, now))
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
