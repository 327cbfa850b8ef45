"""Money is a Decimal and a currency. Nothing else in the project rounds, formats or reads an amount."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from typing import Final

MAX_DIGITS: Final = 14
DECIMAL_PLACES: Final = 3  # of the columns: the most any currency has
# https://docs.stripe.com/currencies#zero-decimal and #three-decimal. That Stripe counts UGX and ISK in hundredths all
# the same is its gateway's affair.
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
    """Not a plain positive number, or not one this currency can hold; the message is a sentence for people."""


@cache
def decimals(currency: str) -> int:
    """Return how many decimals `currency` (ISO 4217, upper case) has: 0, 2 or 3."""
    if currency in ZERO_DECIMAL:
        return 0
    return 3 if currency in THREE_DECIMAL else 2


@cache
def quantum(currency: str) -> Decimal:
    """Return the smallest amount of `currency`: 1, 0.01 or 0.001."""
    return Decimal(1).scaleb(-decimals(currency))


def parse(raw: object, *, zero: bool = False) -> Decimal:
    """Read an amount as a client sent it: a JSON number (int or Decimal) or a string of ASCII digits and one point.

    Raises InvalidAmount for anything else: signs, spaces, other digits, NaN, lists, true, zero unless it is allowed.
    """
    if isinstance(raw, bool) or not isinstance(raw, int | Decimal | str):
        raise InvalidAmount("A number is needed.")
    if isinstance(raw, int):
        if not 0 <= raw < 10**15:
            raise InvalidAmount("A positive number of at most 15 digits is needed.")
        text = str(raw)
    elif isinstance(raw, Decimal):
        # An exponent within reason only: format(1E-400, "f") would write 400 digits.
        if not raw.is_finite() or abs(raw.adjusted()) > 15:
            raise InvalidAmount("A plain number is needed.")
        text = format(raw, "f")
    else:
        text = raw
    if len(text) > 31 or not _PLAIN.fullmatch(text):
        raise InvalidAmount("A plain positive number is needed, like 150 or 150.00.")
    amount = Decimal(text)
    if amount == 0 and not zero:
        raise InvalidAmount("An amount above zero is needed.")
    return amount


def check_precision(amount: Decimal, currency: str, cap: Decimal | int) -> Decimal:
    """Return `amount` with exactly the currency's decimals; never round: raise InvalidAmount instead."""
    if amount > cap:
        raise InvalidAmount(f"At most {cap:,} is possible.")
    fitted = amount.quantize(quantum(currency))
    if fitted != amount:
        places = decimals(currency)
        raise InvalidAmount(f"{currency} has {places} decimals." if places else f"{currency} has no decimals.")
    return fitted


def round_half_up(amount: Decimal, currency: str) -> Decimal:
    """Round what was computed (never what was sent) to the currency's decimals."""
    return amount.quantize(quantum(currency), ROUND_HALF_UP)


def to_text(amount: Decimal, currency: str) -> str:
    """Write a stored amount as the API answers it: `150.00` in USD, `150` in JPY, `150.000` in KWD."""
    return format(amount, f".{decimals(currency)}f")


def to_text_or_none(amount: Decimal | None, currency: str) -> str | None:
    """As to_text, for amounts that may not be there."""
    return None if amount is None else to_text(amount, currency)


def format_amount(amount: Decimal, currency: str) -> str:
    """Write a stored amount as people read it on paper: `1,234.50` in USD, `1,234` in JPY."""
    return format(amount, f",.{decimals(currency)}f")
