"""Money is a Decimal and a currency. Only this module parses, rounds and formats amounts."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from typing import Final

MAX_DIGITS: Final = 14
DECIMAL_PLACES: Final = 3  # of the columns: no currency has more
# https://docs.stripe.com/currencies#zero-decimal and #three-decimal. Stripe counts UGX and ISK in hundredths
# nevertheless: payments/stripe_gateway handles that.
ZERO_DECIMAL: Final = frozenset("BIF CLP DJF GNF ISK JPY KMF KRW MGA PYG RWF UGX VND VUV XAF XOF XPF".split())  # noqa: SIM905 (lines, not a column)
THREE_DECIMAL: Final = frozenset("BHD JOD KWD OMR TND".split())  # noqa: SIM905
TWO_DECIMAL: Final = frozenset(
    """AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BWP BYN BZD CAD CDF CHF CNY COP
    CRC CVE CZK DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR JMD KES KGS KHR
    KYD KZT LAK LBP LKR LRD LSL MAD MDL MKD MMK MNT MOP MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN
    PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SEK SGD SHP SLE SOS SRD STD SZL THB TJS TOP TRY TTD TWD TZS UAH USD
    UYU UZS WST XCD YER ZAR ZMW""".split()  # noqa: SIM905
)
CURRENCIES: Final = ZERO_DECIMAL | TWO_DECIMAL | THREE_DECIMAL

_PLAIN = re.compile(r"[0-9]{1,15}(\.[0-9]{1,15})?", re.ASCII)


class InvalidAmount(ValueError):
    """Not a plain positive number, or not an amount of this currency; the message is for people."""


@cache
def decimals(currency: str) -> int:
    """Return the number of decimals of `currency` (ISO 4217, upper case): 0, 2 or 3."""
    if currency in ZERO_DECIMAL:
        return 0
    return 3 if currency in THREE_DECIMAL else 2


@cache
def quantum(currency: str) -> Decimal:
    """Return the smallest amount of `currency`: 1, 0.01 or 0.001."""
    return Decimal(1).scaleb(-decimals(currency))


def parse(raw: object, *, zero: bool = False) -> Decimal:
    """Parse an amount from a client: a JSON number (int or Decimal) or a string of ASCII digits and one point.

    Raises InvalidAmount for anything else: signs, spaces, other digits, NaN, lists, true, zero unless it is allowed.
    """
    if isinstance(raw, bool) or not isinstance(raw, int | Decimal | str):
        raise InvalidAmount("Enter a number.")
    if isinstance(raw, int):
        if not 0 <= raw < 10**15:
            raise InvalidAmount("Enter a positive number of at most 15 digits.")
        text = str(raw)
    elif isinstance(raw, Decimal):
        # format(1E-400, "f") would write 400 digits.
        if not raw.is_finite() or abs(raw.adjusted()) > 15:
            raise InvalidAmount("Enter a plain number.")
        text = format(raw, "f")
    else:
        text = raw
    if len(text) > 31 or not _PLAIN.fullmatch(text):
        raise InvalidAmount("Enter a plain positive number, like 150 or 150.00.")
    amount = Decimal(text)
    if amount == 0 and not zero:
        raise InvalidAmount("The amount must be above zero.")
    return amount


def check_precision(amount: Decimal, currency: str, cap: Decimal | int) -> Decimal:
    """Return `amount` with exactly the currency's decimals, unrounded. Raises InvalidAmount if it has more."""
    if amount > cap:
        raise InvalidAmount(f"The amount must be at most {cap:,}.")
    fitted = amount.quantize(quantum(currency))
    if fitted != amount:
        places = decimals(currency)
        raise InvalidAmount(f"{currency} has {places} decimals." if places else f"{currency} has no decimals.")
    return fitted


def round_half_up(amount: Decimal, currency: str) -> Decimal:
    """Round a computed amount, never one from a client, to the currency's decimals."""
    return amount.quantize(quantum(currency), ROUND_HALF_UP)


@cache
def charge_unit(currency: str) -> Decimal:
    """Return the smallest step of what a card can be charged: cards know no third decimal."""
    return max(quantum(currency), Decimal("0.01"))


def round_to_charge_unit(amount: Decimal, currency: str) -> Decimal:
    """Round a computed amount that a card will be charged, half up: of three decimals the last is 0."""
    return amount.quantize(charge_unit(currency), ROUND_HALF_UP).quantize(quantum(currency))


def to_text(amount: Decimal, currency: str) -> str:
    """Format a stored amount for the API: `150.00` in USD, `150` in JPY, `150.000` in KWD."""
    return format(amount, f".{decimals(currency)}f")


def to_text_or_none(amount: Decimal | None, currency: str) -> str | None:
    """Format a stored amount for the API; None stays None."""
    return None if amount is None else to_text(amount, currency)


def format_amount(amount: Decimal, currency: str) -> str:
    """Format a stored amount for people: `1,234.50` in USD, `1,234` in JPY."""
    return format(amount, f",.{decimals(currency)}f")
