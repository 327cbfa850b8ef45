"""All that is kept about somebody, for themselves (GDPR, articles 15 and 20)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.db.models import F, Q

from accounts.models import FailedAttempts, OneTimeCode, PreviousEmail, Session, User
from accounts.signals import data_requested
from auctioncraft.core import clock
from auctioncraft.models import IdempotencyKey

if TYPE_CHECKING:
    from collections.abc import Iterable


def export(*, user: User) -> dict[str, Any]:
    """Return it as sections of rows, amounts as text, times UTC: of this app, and what data_requested's receivers add.

    The same number of queries however much there is. Nothing in it opens anything: no hash, no code, no token, no
    client secret; and nothing is told of others beyond what their counterpart sees anyway.
    """
    sections: dict[str, Any] = {"exported_at": clock.now(), "profile": _profile(user), **_access(user)}
    answers: Any = data_requested.send(sender=User, user=user)
    for _, more in answers:
        sections |= more
    return sections


def _profile(user: User) -> dict[str, Any]:
    return {
        "id": user.pk,
        "email": user.email,
        "display_name": user.display_name,
        "is_staff": user.is_staff,
        "has_password": user.has_usable_password(),
        "created_at": user.created_at,
        "email_verified_at": user.email_verified_at,
        "seller": user.seller_state,
        "strikes": user.strikes,
        "has_card": user.has_card,
    }


def _access(user: User) -> dict[str, list[dict[str, Any]]]:
    sign_ins = Session.objects.filter(user=user).order_by("created_at")
    former = PreviousEmail.objects.filter(user=user).order_by("replaced_at")
    codes = OneTimeCode.objects.filter(Q(email=user.email) | Q(account=user)).order_by("created_at")
    keys = IdempotencyKey.objects.filter(user_id=user.pk).order_by("pk")
    return {
        "sign_ins": _rows(
            sign_ins.values("id", "user_agent", "ip", "created_at", "last_used_at", "expires_at", "ended_at")
        ),
        "former_addresses": _rows(former.values("email", given_up_at=F("replaced_at"))),
        "codes": _rows(codes.values("email", "purpose", "ip", "created_at", "expires_at", used_at=F("consumed_at"))),
        "failed_tries": _failed_tries(user.email),
        "idempotency_keys": _rows(keys.values("key", "status", "answer", "created_at")),
    }


def _rows(found: Iterable[Any]) -> list[dict[str, Any]]:
    return list(found)


def _failed_tries(email: str) -> list[dict[str, Any]]:
    names = {f"{kind.value}:{email}": kind.value for kind in FailedAttempts.Kind}
    tries: list[tuple[datetime, str]] = []
    for key, moments in FailedAttempts.objects.filter(pk__in=names).values_list("pk", "failures"):
        tries += [(datetime.fromtimestamp(moment, UTC), names[key]) for moment in moments]
    return [{"at": at, "kind": kind} for at, kind in sorted(tries)]
