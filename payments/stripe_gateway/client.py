"""The SDK's client, and our errors for its own."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING

import stripe
from django.conf import settings

from payments import errors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auctioncraft.core.errors import DomainError

logger = logging.getLogger(__name__)


def is_live_mode() -> bool:
    """Whether our key moves real money.

    Source: https://docs.stripe.com/keys#test-live-modes
    """
    key: str = settings.STRIPE_SECRET_KEY
    return key.startswith(("sk_live_", "rk_live_"))


def client() -> stripe.StripeClient:
    """Return the client of the present settings."""
    return _client_of(settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE, settings.STRIPE_TIMEOUT)


@lru_cache(maxsize=8)
def _client_of(key: str, api_base: str, timeout: float) -> stripe.StripeClient:
    """Return one client per configuration. It never retries by itself.

    The SDK would retry twice and block the thread for three time-outs; our callers are asked again anyway (by the
    client with its stored key, by Stripe's next delivery, by the job).
    """
    return stripe.StripeClient(
        key,
        base_addresses={"api": api_base} if api_base else None,
        max_network_retries=0,
        http_client=stripe.RequestsClient(timeout=(min(3.0, timeout), timeout)),
    )


@contextmanager
def translate_errors() -> Iterator[None]:
    """Raise our error for the SDK's."""
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
    # An account that is not, or no longer, connected to ours: 403. https://docs.stripe.com/error-codes#account-invalid
    if code in {"resource_missing", "account_invalid"}:
        return errors.StripeObjectMissing(stripe_code=code)
    if isinstance(error, stripe.CardError | stripe.InvalidRequestError | stripe.IdempotencyError):
        return errors.PaymentRefused(stripe_code=code)
    if error.headers and error.headers.get("Idempotent-Replayed") == "true":
        return errors.StoredFailure()
    return errors.StripeDown()
