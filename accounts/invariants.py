"""What the tables can show of invariants 18-20. Read only; a line per offending row, by its id: never an address."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.db.models import Count, DurationField, Exists, ExpressionWrapper, F, Func, IntegerField, OuterRef, Q

from accounts.erased import NAME, erased
from accounts.models import FailedAttempts, OneTimeCode, PreviousEmail, Session, User, normalize_email
from accounts.services import lockout, otp, tokens

if TYPE_CHECKING:
    from collections.abc import Callable

# Full-width signs and the ideographic full stop read the same.
_ADDRESS = "\\S[@\uff20\ufe6b]\\S+[.\u3002\uff0e\uff61]\\S"


def _addresses() -> list[str]:
    """18: one account per normalised address."""
    # Whatever is plain ASCII without capitals and spaces is normalised; the few others are looked at here.
    odd = User.objects.filter(email__regex=r"[^!-@\[-~]").values_list("pk", "email")
    lines = []
    for pk, email in odd.iterator():
        normalised = normalize_email(email)
        if normalised != email:
            lines.append(f"user {pk}: the address is not normalised")
            lines += [
                f"user {pk}: the same address as user {other}"
                for other in User.objects.filter(email=normalised).values_list("pk", flat=True)
            ]
    return lines


def _live_codes() -> list[str]:
    """18: a new code voids the older ones."""
    doubled = OneTimeCode.objects.filter(consumed_at__isnull=True).values("email").annotate(count=Count("pk"))
    emails = doubled.filter(count__gt=1).order_by().values("email")
    rows = OneTimeCode.objects.filter(consumed_at__isnull=True, email__in=emails)
    return [f"code {pk}: not the only unused one of its address" for pk in rows.values_list("pk", flat=True)]


def _code_lifetimes() -> list[str]:
    """18: 10 minutes."""
    lifetime = ExpressionWrapper(F("expires_at") - F("created_at"), output_field=DurationField())
    rows = OneTimeCode.objects.annotate(lifetime=lifetime).exclude(
        lifetime__gt=timedelta(0), lifetime__lte=otp.CODE_LIFETIME
    )
    return [f"code {pk}: does not last 10 minutes" for pk in rows.values_list("pk", flat=True)]


class _Length(Func):
    """The length of a JSON array."""

    function = "jsonb_array_length"
    output_field = IntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, function="json_array_length", **context)


def _failures() -> list[str]:
    """18: at most 10 failures an hour are ever compared."""
    rows = FailedAttempts.objects.annotate(count=_Length("failures")).filter(count__gt=lockout.TOTAL_LIMIT)
    return [f"guard of a {key.partition(':')[0]}: more than 10 failures" for key in rows.values_list("pk", flat=True)]


def _disabled() -> list[str]:
    """19: a disabled account is signed in nowhere."""
    rows = Session.objects.filter(ended_at__isnull=True, user__is_active=False)
    return [f"sign-in {pk}: goes on, but its account is disabled" for pk in rows.values_list("pk", flat=True)]


def _successors() -> list[str]:
    """19: a refresh token has at most one successor."""
    shared = Session.objects.values("token_hash").annotate(count=Count("pk")).filter(count__gt=1).order_by()
    rows = Session.objects.filter(token_hash__in=shared.values("token_hash"))
    return [f"sign-in {pk}: shares its refresh token" for pk in rows.values_list("pk", flat=True)]


def _sign_in_times() -> list[str]:
    """19: a sign-in is used between its beginning and its end."""
    rows = Session.objects.filter(Q(last_used_at__lt=F("created_at")) | Q(expires_at__lte=F("last_used_at")))
    return [f"sign-in {pk}: its times are out of order" for pk in rows.values_list("pk", flat=True)]


def _sign_in_lives() -> list[str]:
    """19: however often it was refreshed, a sign-in ends 90 days after its beginning."""
    life = ExpressionWrapper(F("expires_at") - F("created_at"), output_field=DurationField())
    rows = Session.objects.annotate(life=life).filter(life__gt=tokens.MAX_SESSION_AGE)
    return [f"sign-in {pk}: lasts longer than 90 days" for pk in rows.values_list("pk", flat=True)]


def _display_names() -> list[str]:
    """20: what everybody sees holds no address."""
    rows = User.objects.filter(Q(display_name=F("email")) | Q(display_name__regex=_ADDRESS))
    return [f"user {pk}: the display name is an e-mail address" for pk in rows.values_list("pk", flat=True)]


def _erased() -> list[str]:
    """20: of an erased account nothing is left that says whose it was, or that lets anybody in."""
    kept = Q(
        is_active=False,
        is_staff=False,
        display_name=NAME,
        password__startswith=UNUSABLE_PASSWORD_PREFIX,
        email_verified_at__isnull=True,
        last_login__isnull=True,
    )
    things = [model.objects.filter(user=OuterRef("pk")) for model in (Session, PreviousEmail)]
    codes = OneTimeCode.objects.filter(account=OuterRef("pk"))
    left = ~kept | Q(Exists(things[0])) | Q(Exists(things[1])) | Q(Exists(codes))
    rows = User.objects.filter(erased()).filter(left)
    return [f"user {pk}: erased, but not all of it" for pk in rows.values_list("pk", flat=True)]


CHECKS: dict[str, Callable[[], list[str]]] = {
    "addresses_are_normalised": _addresses,
    "one_unused_code_per_email": _live_codes,
    "codes_last_ten_minutes": _code_lifetimes,
    "failures_stay_within_the_hour": _failures,
    "disabled_accounts_are_signed_out": _disabled,
    "refresh_tokens_are_not_shared": _successors,
    "sign_ins_have_ordered_times": _sign_in_times,
    "sign_ins_end_within_ninety_days": _sign_in_lives,
    "display_names_are_no_addresses": _display_names,
    "erased_accounts_are_empty": _erased,
}
