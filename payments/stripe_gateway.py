"""Stripe, and the only module that imports its SDK.

What comes out are small frozen dataclasses and our own errors; no SDK object, message or body leaves this file, so
no secret does either. Nothing here opens a transaction, and nobody calls it inside one.
"""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import stripe
from django.conf import settings

from auctioncraft import money
from payments import errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from auctioncraft.errors import DomainError

logger = logging.getLogger(__name__)

# Seconds either way: https://docs.stripe.com/webhooks#replay-attacks. The SDK looks at the past only.
TOLERANCE: Final = 300
# https://docs.stripe.com/currencies#special-cases: no decimals, yet counted in hundredths.
_COUNTED_IN_HUNDREDTHS: Final = frozenset({"ISK", "UGX"})
_UNSTORABLE: Final = str.maketrans({"\x00": "\ufffd"})


@dataclass(frozen=True, slots=True)
class Intent:
    """A PaymentIntent as Stripe holds it now. Amounts in minor units of `currency` (upper case)."""

    id: str
    client_secret: str = field(repr=False)
    status: str
    amount_minor: int
    received_minor: int
    currency: str
    livemode: bool
    metadata: dict[str, str]
    last_error_code: str = ""

    def charges(self, amount: Decimal, currency: str) -> bool:
        """Whether it is for exactly this."""
        return self.currency == currency and self.amount_minor == to_minor_units(amount, currency)


@dataclass(frozen=True, slots=True)
class Event:
    """A verified webhook event. `payload` is what may be stored of it."""

    id: str
    type: str
    livemode: bool
    payload: dict[str, Any] = field(repr=False)


def to_minor_units(amount: Decimal, currency: str) -> int:
    """Return what Stripe calls an amount: 19.99 USD is 1999, 500 JPY is 500, 1.230 KWD is 1230; 5 ISK is 500.

    Exact: raises ValueError where it would have to round.
    Source: https://docs.stripe.com/currencies#minor-units
    """
    scaled = amount.scaleb(_exponent(currency))
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{amount} {currency} is not a whole number of minor units")
    return int(scaled)


def from_minor_units(minor: int, currency: str) -> Decimal:
    """Return the amount that Stripe counts as `minor`: the inverse of to_minor_units."""
    return Decimal(minor).scaleb(-_exponent(currency)).quantize(money.quantum(currency))


def _exponent(currency: str) -> int:
    return 2 if currency in _COUNTED_IN_HUNDREDTHS else money.decimals(currency)


def live_mode() -> bool:
    """Whether our key moves real money.

    Source: https://docs.stripe.com/keys#test-live-modes
    """
    key: str = settings.STRIPE_SECRET_KEY
    return key.startswith(("sk_live_", "rk_live_"))


def create_intent(*, amount: Decimal, currency: str, metadata: Mapping[str, str], idempotency_key: str) -> Intent:
    """Create a PaymentIntent, or find the one that this key created.

    Source: https://docs.stripe.com/api/payment_intents/create and https://docs.stripe.com/api/idempotent_requests
    Raises AmountNotChargeable, PaymentRefused, KeyInUse, KeySpent, StripeUnavailable. After the last the intent may
    exist all the same: ask again with the same key.
    """
    minor = to_minor_units(amount, currency)
    if currency in money.THREE_DECIMAL and minor % 10:
        # Card networks take two decimals: https://docs.stripe.com/currencies#three-decimal
        raise errors.AmountNotChargeable
    with _translated():
        created = _client().v1.payment_intents.create(
            params={
                "amount": minor,
                "currency": currency.lower(),
                "metadata": dict(metadata),
                "automatic_payment_methods": {"enabled": True},
            },
            options={"idempotency_key": idempotency_key},
        )
        return _intent(created)


def retrieve_intent(intent_id: str) -> Intent:
    """Return the PaymentIntent as it is now. Raises IntentNotFound, StripeUnavailable."""
    with _translated():
        return _intent(_client().v1.payment_intents.retrieve(intent_id))


def cancel_intent(intent_id: str) -> Intent:
    """Cancel a PaymentIntent that is not paid. Raises PaymentRefused if it is too late, StripeUnavailable.

    Source: https://docs.stripe.com/api/payment_intents/cancel
    """
    with _translated():
        return _intent(_client().v1.payment_intents.cancel(intent_id))


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


def intent_id_of(payload: dict[str, Any]) -> str:
    """Return the id of the PaymentIntent that an event's payload is about; empty if it is about something else."""
    subject = _subject(payload)
    intent_id = subject.get("id")
    return intent_id if subject.get("object") == "payment_intent" and isinstance(intent_id, str) else ""


def paid_intent_of(payload: dict[str, Any]) -> Intent:
    """Return the PaymentIntent of a verified `payment_intent.succeeded` event, as the event states it.

    `succeeded` is where a PaymentIntent ends (https://docs.stripe.com/payments/paymentintents/lifecycle), so unlike any
    other state it need not be read again. An amount that is not a number counts as none, which matches no order.
    """
    subject = _subject(payload)
    amount, received = subject.get("amount"), subject.get("amount_received", subject.get("amount"))
    return Intent(
        id=intent_id_of(payload),
        client_secret="",  # one is never kept  # nosec B106
        status="succeeded",
        amount_minor=amount if type(amount) is int else 0,
        received_minor=received if type(received) is int else 0,
        currency=str(subject.get("currency", "")).upper(),
        livemode=payload.get("livemode") is True,
        metadata={},
    )


def _subject(payload: dict[str, Any]) -> dict[str, Any]:
    data = payload.get("data")
    subject = data.get("object") if isinstance(data, dict) else None
    return subject if isinstance(subject, dict) else {}


def _event(values: dict[str, Any]) -> Event:
    if "client_secret" in (subject := _subject(values)):
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


def _intent(found: stripe.PaymentIntent) -> Intent:
    values = found.to_dict()
    failure = values.get("last_payment_error") or {}
    return Intent(
        id=values["id"],
        client_secret=values.get("client_secret") or "",
        status=values["status"],
        amount_minor=values["amount"],
        received_minor=values.get("amount_received") or 0,
        currency=values["currency"].upper(),
        livemode=values["livemode"],
        metadata=values.get("metadata") or {},
        last_error_code=(failure.get("decline_code") or failure.get("code") or "")[:200],
    )


def _client() -> stripe.StripeClient:
    return _client_of(settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE, settings.STRIPE_TIMEOUT)


@lru_cache(maxsize=8)
def _client_of(key: str, api_base: str, timeout: float) -> stripe.StripeClient:
    """Return one client per configuration. It never retries by itself.

    The SDK would retry twice and hold the thread for three time-outs; our callers are asked again anyway (by the
    client with its stored key, by Stripe's next delivery, by the sweep).
    """
    return stripe.StripeClient(
        key,
        base_addresses={"api": api_base} if api_base else None,
        max_network_retries=0,
        http_client=stripe.RequestsClient(timeout=(min(3.0, timeout), timeout)),
    )


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except stripe.StripeError as error:
        raise _translate(error) from None


def _translate(error: stripe.StripeError) -> DomainError:
    """Return our error for the SDK's.

    Source: https://docs.stripe.com/error-handling and, for what a key remembers, https://docs.stripe.com/error-low-level
    """
    code = (error.error.code if error.error else None) or error.code or ""
    # Never the message: it may quote what was sent.
    logger.warning(
        "stripe: %s, HTTP %s, code %s, %s", type(error).__name__, error.http_status, code or "-", error.request_id
    )
    if code == "idempotency_key_in_use":
        return errors.KeyInUse()
    if code == "resource_missing":
        return errors.IntentNotFound(stripe_code=code)
    if isinstance(error, stripe.CardError | stripe.InvalidRequestError | stripe.IdempotencyError):
        return errors.PaymentRefused(stripe_code=code)
    if error.headers and error.headers.get("Idempotent-Replayed") == "true":
        return errors.KeySpent()
    return errors.StripeUnavailable()
