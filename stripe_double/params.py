"""Readers of parameters: each returns a clean value or raises Stripe's 400 for it.

Source: https://docs.stripe.com/error-codes
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from stripe_double import currencies
from stripe_double.errors import StripeError, missing_param

if TYPE_CHECKING:
    from stripe_double.forms import Params

MAX_METADATA_KEYS = 50
MAX_METADATA_KEY = 40
MAX_METADATA_VALUE = 500
MAX_TEXT = 5000


def only(params: Params, *names: str) -> None:
    """Refuse unknown parameters instead of ignoring them, so that tests notice."""
    for name in params:
        if name not in names:
            raise StripeError(f"Received unknown parameter: {name}", code="parameter_unknown", param=name)


def text(params: Params, name: str, maximum: int = MAX_TEXT) -> str | None:
    """Return a string, or None when absent or empty (Stripe unsets a field with an empty string)."""
    value = params.get(name)
    if not value:
        return None
    if not isinstance(value, str):
        raise StripeError(f"Invalid string: {name}", code="parameter_invalid_string", param=name)
    if len(value) > maximum:
        message = f"Invalid string: must be at most {maximum} characters"
        raise StripeError(message, code="parameter_invalid_string", param=name)
    return value


def one_of(params: Params, name: str, allowed: tuple[str, ...]) -> str | None:
    """Return one of the allowed values, or None when absent or empty."""
    value = text(params, name)
    if value is not None and value not in allowed:
        raise StripeError(f"Invalid {name}: must be one of {', '.join(allowed)}", param=name)
    return value


def integer(params: Params, name: str, minimum: int = 1) -> int | None:
    """Return an integer of at least `minimum`, or None when absent; "10.0" and "1e3" are not integers."""
    value = params.get(name)
    if value is None:
        return None
    digits = value.removeprefix("-") if isinstance(value, str) else ""
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 18):  # fits 64 bits
        shown = value[:40] if isinstance(value, str) else name
        raise StripeError(f"Invalid integer: {shown}", code="parameter_invalid_integer", param=name)
    number = int(value)
    if number < minimum:
        message = f"This value must be greater than or equal to {minimum}."
        raise StripeError(message, code="parameter_invalid_integer", param=name)
    return number


def boolean(params: Params, name: str) -> bool:
    """Return a flag; absent is False."""
    value = params.get(name, "false")
    if value not in ("true", "false"):
        raise StripeError(f"Invalid boolean: {name}", param=name)
    return bool(value == "true")


def currency(params: Params) -> str:
    """Return a currency Stripe charges in, in lower case.

    Source: https://docs.stripe.com/currencies
    """
    value = text(params, "currency", 40)
    if value is None:
        raise missing_param("currency")
    if value.lower() not in currencies.SUPPORTED:
        known = ", ".join(sorted(currencies.SUPPORTED))
        message = f"Invalid currency: {value}. Stripe currently supports these currencies: {known}"
        raise StripeError(message, param="currency")
    return value.lower()


def amount(params: Params, code: str) -> int:
    """Return an amount in minor units within Stripe's limits for the currency `code`.

    Source: https://docs.stripe.com/currencies (minimum, maximum, three-decimal currencies)
    """
    value = integer(params, "amount")
    if value is None:
        raise missing_param("amount")
    most = currencies.MAXIMUM_OF.get(code, currencies.MAXIMUM)
    if value > most:
        message = f"Amount must be no more than {currencies.format_amount(most, code)}"
        raise StripeError(message, code="amount_too_large", param="amount")
    least = currencies.MINIMUM.get(code, 1)
    if value < least:
        message = f"Amount must be at least {currencies.format_amount(least, code)} {code}"
        raise StripeError(message, code="amount_too_small", param="amount")
    if code in currencies.THREE_DECIMAL and value % 10:
        message = f"Invalid amount: the last digit must be 0 for {code}, a three-decimal currency."
        raise StripeError(message, code="parameter_invalid_integer", param="amount")
    return value


def metadata(params: Params, current: dict[str, str]) -> dict[str, str]:
    """Return `current` with the changes asked for: an empty value removes its key, an empty hash removes all.

    Source: https://docs.stripe.com/api/metadata
    """
    changes = params.get("metadata", {})
    if changes == "":
        return {}
    if not isinstance(changes, dict) or not all(isinstance(value, str) for value in changes.values()):
        raise StripeError("Invalid hash", code="parameter_invalid_string", param="metadata")
    for key, value in changes.items():
        if len(key) > MAX_METADATA_KEY or len(value) > MAX_METADATA_VALUE:
            message = f"Metadata keys can have up to {MAX_METADATA_KEY} characters, values up to {MAX_METADATA_VALUE}"
            raise StripeError(message, param=f"metadata[{key[:MAX_METADATA_KEY]}]")
    merged = {key: value for key, value in (current | changes).items() if value}
    if len(merged) > MAX_METADATA_KEYS:
        message = f"Metadata can have up to {MAX_METADATA_KEYS} keys"
        raise StripeError(message, param="metadata")
    return merged


def web_url(params: Params, name: str) -> str | None:
    """Return an http(s) address, or None when absent."""
    value = text(params, name)
    if value and urlsplit(value).scheme not in ("http", "https"):
        raise StripeError("Not a valid URL", code="url_invalid", param=name)
    return value
