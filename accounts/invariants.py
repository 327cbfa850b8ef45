"""Invariants of accounts, codes and sessions (18-20 of docs/invariants.md). Findings never show an address."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.db.models import DurationField, Exists, ExpressionWrapper, F, Func, IntegerField, OuterRef, Q, Subquery

from accounts.models import (
    ERASED_DOMAIN,
    ERASED_NAME,
    FailedAttempts,
    OneTimeCode,
    PreviousEmail,
    Session,
    StaffAction,
    User,
    normalize_email,
)
from accounts.services import lockout, otp, tokens
from auctioncraft.core.invariants import describe, invariant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auctioncraft.core.invariants import Batch

# Full-width signs and the ideographic full stop look the same.
_ADDRESS = "\\S[@\uff20\ufe6b]\\S+[.\u3002\uff0e\uff61]\\S"


class _Length(Func):
    """The length of a JSON array."""

    function = "jsonb_array_length"
    output_field = IntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, function="json_array_length", **context)


@invariant(18, "each normalized address has one account", over=User)
def check_addresses(users: Batch) -> Iterator[str]:
    # Plain ASCII without capitals and spaces is normalized; only the other addresses are compared here.
    unusual = users.rows.filter(email__regex=r"[^!-@\[-~]").values_list("pk", "email")
    for pk, email in unusual.iterator():
        normalized = normalize_email(email)
        if normalized == email:
            continue
        yield f"user {pk}: the address is not normalized"
        for other in User.objects.filter(email=normalized).values_list("pk", flat=True):
            yield f"user {pk}: the same address as user {other}"


@invariant(18, "an address has at most one code that can be used", over=OneTimeCode)
def check_unused_codes(codes: Batch) -> Iterator[str]:
    # A new code makes the earlier ones unusable.
    unused = Q(consumed_at__isnull=True)
    others = OneTimeCode.objects.filter(unused, email=OuterRef("email")).exclude(pk=OuterRef("pk"))
    for pk in codes.rows.filter(unused).filter(Exists(others)).values_list("pk", flat=True):
        yield f"code {pk}: not the only unused one of its address"


@invariant(18, "a code lasts 10 minutes", over=OneTimeCode)
def check_code_lifetimes(codes: Batch) -> Iterator[str]:
    lifetime = ExpressionWrapper(F("expires_at") - F("created_at"), output_field=DurationField())
    rows = codes.rows.annotate(lifetime=lifetime).exclude(lifetime__gt=timedelta(0), lifetime__lte=otp.CODE_LIFETIME)
    yield from describe(rows, "code {}: does not last 10 minutes")


@invariant(18, "at most 10 failed attempts an hour are counted", over=FailedAttempts)
def check_failed_attempts(attempts: Batch) -> Iterator[str]:
    # For each key; more are refused unread. Of networks, 30 wrong codes.
    rows = attempts.rows.annotate(count=_Length("failures")).filter(count__gt=lockout.TOTAL_LIMIT)
    for key, failures in rows.values_list("pk", "failures").iterator():
        kind = key.partition(":")[0]
        limit = lockout.NETWORK_LIMIT if kind == FailedAttempts.Kind.CODE_NETWORK else lockout.TOTAL_LIMIT
        times, hour = sorted(failures), lockout.TOTAL_WINDOW.total_seconds()
        if any(later - earlier < hour for earlier, later in zip(times, times[limit:], strict=False)):
            yield f"failed attempts of a {kind}: more than {limit} within an hour"


@invariant(19, "a disabled account has no session", over=Session)
def check_disabled_accounts(sessions: Batch) -> Iterator[str]:
    # Disabling ends all of them.
    rows = sessions.rows.filter(ended_at__isnull=True, user__is_active=False)
    yield from describe(rows, "session {}: not ended, and its account is disabled")


@invariant(19, "a refresh token has at most one successor", over=Session)
def check_refresh_tokens(sessions: Batch) -> Iterator[str]:
    # No two sessions have the same token.
    others = Session.objects.filter(token_hash=OuterRef("token_hash")).exclude(pk=OuterRef("pk"))
    yield from describe(sessions.rows.filter(Exists(others)), "session {}: shares its refresh token")


@invariant(19, "a session is used between its start and its end", over=Session)
def check_session_times(sessions: Batch) -> Iterator[str]:
    rows = sessions.rows.filter(Q(last_used_at__lt=F("created_at")) | Q(expires_at__lte=F("last_used_at")))
    yield from describe(rows, "session {}: its times are out of order")


@invariant(19, "a session ends within 90 days", over=Session)
def check_session_ages(sessions: Batch) -> Iterator[str]:
    # However often it is refreshed.
    age = ExpressionWrapper(F("expires_at") - F("created_at"), output_field=DurationField())
    rows = sessions.rows.annotate(age=age).filter(age__gt=tokens.MAX_SESSION_AGE)
    yield from describe(rows, "session {}: lasts longer than 90 days")


@invariant(20, "display names contain no email address", over=User)
def check_display_names(users: Batch) -> Iterator[str]:
    rows = users.rows.filter(Q(display_name=F("email")) | Q(display_name__regex=_ADDRESS))
    yield from describe(rows, "user {}: the display name is an email address")


@invariant(20, "deleted accounts are empty", over=User)
def check_erased_accounts(users: Batch) -> Iterator[str]:
    # Its row stays, because bids and orders refer to it.
    empty = Q(
        is_active=False,
        is_staff=False,
        display_name=ERASED_NAME,
        password__startswith=UNUSABLE_PASSWORD_PREFIX,
        email_verified_at__isnull=True,
        last_login__isnull=True,
    )
    sessions = Session.objects.filter(user=OuterRef("pk"))
    addresses = PreviousEmail.objects.filter(user=OuterRef("pk"))
    codes = OneTimeCode.objects.filter(account=OuterRef("pk"))
    left = ~empty | Q(Exists(sessions)) | Q(Exists(addresses)) | Q(Exists(codes))
    for pk in users.rows.filter(email__endswith=ERASED_DOMAIN).filter(left).values_list("pk", flat=True):
        yield f"user {pk}: deleted, but not all of it"


@invariant(25, "what staff did to an account says why", over=StaffAction)
def check_staff_actions(actions: Batch) -> Iterator[str]:
    yield from describe(actions.rows.exclude(reason__regex=r"\S"), "staff action {}: no reason")


@invariant(25, "a disabled account says who disabled it", over=User)
def check_disabled_by_staff(users: Batch) -> Iterator[str]:
    # Erased accounts are not active either; their users ended them.
    states = (StaffAction.Action.ACCOUNT_DISABLED, StaffAction.Action.ACCOUNT_ENABLED)
    acts = StaffAction.objects.filter(user=OuterRef("pk"), action__in=states).order_by("-pk")
    rows = users.rows.filter(is_active=False).exclude(email__endswith=ERASED_DOMAIN)
    latest = rows.annotate(latest=Subquery(acts.values("action")[:1]))
    unsigned = latest.exclude(latest__isnull=False, latest=StaffAction.Action.ACCOUNT_DISABLED)
    yield from describe(unsigned, "user {}: disabled, and nobody is on record for it")
