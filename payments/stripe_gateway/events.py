"""Webhook events: verified, cleaned of what must not be kept, and read."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import Any, Final

import stripe
from django.conf import settings

from payments import errors

logger = logging.getLogger(__name__)

# Seconds either way: https://docs.stripe.com/webhooks#replay-attacks. The SDK looks at the past only.
TOLERANCE: Final = 300
_UNSTORABLE: Final = str.maketrans({"\x00": "\ufffd"})


@dataclass(frozen=True, slots=True)
class Event:
    """A verified webhook event. `payload` is what may be stored of it."""

    id: str
    type: str
    livemode: bool
    payload: dict[str, Any] = field(repr=False)


def read_event(*, payload: bytes, signature: str) -> Event:
    """Verify a webhook's raw body and return its event.

    Source: https://docs.stripe.com/webhooks#verify-manually
    Raises WebhookNotConfigured without a secret; BadSignature for everything that is not an event signed by Stripe
    within five minutes of now, in either direction.
    """
    if not settings.STRIPE_WEBHOOK_SECRET:
        raise errors.WebhookNotConfigured
    try:
        event = stripe.Webhook.construct_event(payload, signature, settings.STRIPE_WEBHOOK_SECRET, TOLERANCE)
        if _signed_at(signature) > time.time() + TOLERANCE:
            raise ValueError("signed in the future")  # noqa: TRY301 (one answer for all of it)
        return _event(_storable(event.to_dict(for_json=True)))
    except Exception as error:  # noqa: BLE001 (the SDK raises what the parser or an attribute happens to raise)
        logger.warning("stripe webhook refused: %s", type(error).__name__)
        raise errors.BadSignature from None


def _signed_at(signature: str) -> int:
    # Read as the SDK reads it, which has verified it by now: the first `t`.
    return next(int(part[2:]) for part in signature.split(",") if part.startswith("t="))


def subject_of(payload: dict[str, Any]) -> dict[str, Any]:
    """Return the object that an event is about; empty if it names none."""
    data = payload.get("data")
    subject = data.get("object") if isinstance(data, dict) else None
    return subject if isinstance(subject, dict) else {}


def _event(values: dict[str, Any]) -> Event:
    if "client_secret" in (subject := subject_of(values)):
        # Whoever holds it can read the intent and pay it; from here on nothing of ours needs it.
        subject["client_secret"] = None
    event = Event(id=values["id"], type=values["type"], livemode=values.get("livemode") is True, payload=values)
    if not (_is_text(event.id, 255) and _is_text(event.type, 100)):
        raise ValueError("no id or no type")
    return event


def _is_text(value: object, length: int) -> bool:
    return isinstance(value, str) and 0 < len(value) <= length


def _storable(value: Any) -> Any:
    """Return JSON that PostgreSQL can store as sent: no NUL in text, no NaN, no lone surrogates."""
    if isinstance(value, dict):
        return {_storable(key): _storable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, str):
        return value.translate(_UNSTORABLE).encode("utf-8", "replace").decode()
    if isinstance(value, float) and not abs(value) < float("inf"):
        return None
    return value
