"""All accounts data about a user (GDPR, articles 15 and 20)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.db.models import F, Q

from accounts.models import KnownNetwork, OneTimeCode, PreviousEmail, Session, User
from accounts.services import lockout
from auctioncraft.models import IdempotencyKey


def export_account(*, user: User) -> dict[str, Any]:
    """Return the user as profile, and a list of rows per section. No hash, code or token is included."""
    sessions = Session.objects.filter(user=user).order_by("created_at")
    previous = PreviousEmail.objects.filter(user=user).order_by("replaced_at")
    # Who requests codes for an address that the user never proved is another person.
    proved_email = user.email if user.email_verified_at else None
    codes = OneTimeCode.objects.filter(Q(email=proved_email) | Q(account=user)).order_by("created_at")
    keys = IdempotencyKey.objects.filter(user_id=user.pk).order_by("pk")
    return {
        "profile": user,
        "sign_ins": list(
            sessions.values("id", "user_agent", "ip", "created_at", "last_used_at", "expires_at", "ended_at")
        ),
        "known_networks": list(
            KnownNetwork.objects.filter(user=user).order_by("network").values("network", "signed_in_at")
        ),
        "former_addresses": list(previous.values("email", given_up_at=F("replaced_at"))),
        "codes": list(codes.values("email", "purpose", "ip", "created_at", "expires_at", used_at=F("consumed_at"))),
        "failed_tries": _failed_attempts(proved_email) if proved_email else [],
        "idempotency_keys": list(keys.values("key", "created_at", answer=F("response"))),
    }


def _failed_attempts(email: str) -> list[dict[str, Any]]:
    attempts: list[tuple[datetime, str]] = []
    for key, timestamps in lockout.attempts_at(email).values_list("pk", "failures"):
        kind = key.partition(":")[0]
        attempts += [(datetime.fromtimestamp(timestamp, UTC), kind) for timestamp in timestamps]
    return [{"at": at, "kind": kind} for at, kind in sorted(attempts)]
