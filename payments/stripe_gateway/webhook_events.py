"""Webhook events: verified, cleaned of what must not be kept, and read."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import stripe
from django.conf import settings

from payments import errors

logger = logging.getLogger(__name__)

# Seconds either way: https://docs.stripe.com/webhooks#replay-attacks. The SDK looks at the past only.
TOLERANCE: Final = 300
_UNSTORABLE: Final = str.maketrans({"\x00": "\ufffd"})
# Not stored, wherever it is in an event: what could pay or sign in if it leaked from our database ...
_SECRET: Final = frozenset({"client_secret", "next_action", "receipt_url", "url"})
# ... and personal data: an erased account must not remain in old events. Our code reads none of these.
_PERSONAL: Final = frozenset(
    {"address", "billing_details", "business_profile", "card", "company", "customer_details", "email", "evidence"}
    | {"external_accounts", "individual", "name", "payment_method_details", "phone", "receipt_email", "shipping"}
    | {"tos_acceptance"}
)


@dataclass(frozen=True, slots=True)
class Event:
    """A verified event. `payload` is what may be stored of it; `account` the connected account it is of, if any."""

    id: str
    type: str
    livemode: bool
    payload: dict[str, Any] = field(repr=False)
    account: str = ""
    created_at: datetime | None = None


def verify_event(*, payload: bytes, signature: str) -> Event:
    """Verify a webhook's raw body and return its event.

    Any of our secrets will do: the endpoint's, its former ones while they are rotated, the Connect endpoint's.
    Source: https://docs.stripe.com/webhooks#verify-manually
    Raises WebhookNotConfigured without a secret; BadSignature for everything that is not an event signed by Stripe
    within five minutes of now, in either direction.
    """
    if not settings.STRIPE_WEBHOOK_SECRET:
        raise errors.WebhookNotConfigured
    try:
        verified = _verified(payload, signature)
        if _signed_at(signature) > time.time() + TOLERANCE:
            raise ValueError("signed in the future")  # noqa: TRY301 (one answer for all of it)
        return parse_event(verified.to_dict(for_json=True))
    except Exception as error:  # noqa: BLE001 (the SDK raises what the parser or an attribute happens to raise)
        logger.warning("stripe webhook refused: %s", type(error).__name__)
        raise errors.BadSignature from None


def parse_event(values: dict[str, Any]) -> Event:
    """Return the event that Stripe worded like this. Raises ValueError if it is none that could be kept."""
    payload = _storable(values)
    created, account = values.get("created"), payload.get("account")
    event = Event(
        id=payload["id"],
        type=payload["type"],
        livemode=payload.get("livemode") is True,
        payload=payload,
        account=account if _is_text(account, 255) else "",
        created_at=datetime.fromtimestamp(created, UTC) if type(created) is int else None,
    )
    if not (_is_text(event.id, 255) and _is_text(event.type, 100)):
        raise ValueError("no id or no type")
    return event


def event_object(payload: dict[str, Any]) -> dict[str, Any]:
    """Return the object that an event is about; empty if it names none."""
    data = payload.get("data")
    subject = data.get("object") if isinstance(data, dict) else None
    return subject if isinstance(subject, dict) else {}


def object_id(payload: dict[str, Any], kind: str) -> str:
    """Return the id of the `kind` of object that an event's payload is about; empty if it is about something else."""
    subject = event_object(payload)
    found = subject.get("id")
    return found if subject.get("object") == kind and isinstance(found, str) else ""


def _verified(payload: bytes, signature: str) -> stripe.Event:
    secrets = (
        settings.STRIPE_WEBHOOK_SECRET,
        *settings.STRIPE_WEBHOOK_SECRETS_OLD,
        settings.STRIPE_CONNECT_WEBHOOK_SECRET,
    )
    for secret in secrets:
        try:
            # A blank one verifies nothing: the SDK says so.
            event: stripe.Event = stripe.Webhook.construct_event(payload, signature, secret, TOLERANCE)
        except stripe.SignatureVerificationError:
            continue
        return event
    raise ValueError("signed with none of our secrets, or too long ago")


def _signed_at(signature: str) -> int:
    # Read as the SDK reads it, which has verified it by now: the first `t`.
    return next(int(part[2:]) for part in signature.split(",") if part.startswith("t="))


def _is_text(value: object, length: int) -> bool:
    return isinstance(value, str) and 0 < len(value) <= length


def _storable(value: Any) -> Any:
    """Return JSON that may be kept, and that PostgreSQL can store: no NUL in text, no NaN, no lone surrogates."""
    if isinstance(value, dict):
        return {
            _storable(key): None if key in _SECRET or key in _PERSONAL else _storable(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, str):
        return value.translate(_UNSTORABLE).encode("utf-8", "replace").decode()
    if isinstance(value, float) and not abs(value) < float("inf"):
        return None
    return value
