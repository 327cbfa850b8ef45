"""Amounts as Stripe counts them, and which of them a card can be charged or given back.

Source: https://docs.stripe.com/currencies
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from auctioncraft.core import money

if TYPE_CHECKING:
    from collections.abc import Mapping

# https://docs.stripe.com/currencies#special-cases: no decimals, yet counted in hundredths.
_COUNTED_IN_HUNDREDTHS: Final = frozenset({"ISK", "UGX"})
# In minor units: https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts. For a missing currency the
# minimum is that of the account's currency, converted; only Stripe knows it.
_MINIMUM: Final[Mapping[str, int]] = {
    "AED": 200, "AUD": 50, "BGN": 100, "BRL": 50, "CAD": 50, "CHF": 50, "CZK": 1500, "DKK": 250, "EUR": 50, "GBP": 30,
    "HKD": 400, "HUF": 17500, "INR": 50, "JPY": 50, "MXN": 1000, "MYR": 200, "NOK": 300, "NZD": 50, "PLN": 200,
    "RON": 200, "SEK": 300, "SGD": 50, "THB": 1000, "USD": 50,
}  # fmt: skip
# Eight digits; twelve in rupiah.
_MAXIMUM: Final = 99_999_999
_MAXIMUM_BY_CURRENCY: Final[Mapping[str, int]] = {"IDR": 999_999_999_999}


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


def can_charge(*, amount: Decimal, currency: str) -> bool:
    """Whether a card could be charged exactly this, as far as can be known without asking Stripe.

    False for less than Stripe's minimum, for more digits than it takes and for thousandths that no card takes. True is
    no promise: Stripe may refuse all the same.
    """
    minor = to_minor_units(amount, currency)
    return is_card_amount(minor, currency) and _MINIMUM.get(currency, 1) <= minor <= _MAXIMUM_BY_CURRENCY.get(
        currency, _MAXIMUM
    )


def minimum(currency: str) -> Decimal:
    """Return the least amount of a charge, also taken for refunds; half a unit, or 50, where none is published."""
    if currency in _MINIMUM:
        return from_minor_units(_MINIMUM[currency], currency)
    return Decimal("0.5" if money.decimals(currency) else 50).quantize(money.quantum(currency))


def can_refund(*, amount: Decimal, currency: str) -> bool:
    """Whether exactly this could be given back to a card; Stripe has no least."""
    return is_card_amount(to_minor_units(amount, currency), currency)


def is_card_amount(minor: int, currency: str) -> bool:
    """Whether card networks, which take two decimals, can express so many minor units: of 5.124 KWD they cannot.

    Source: https://docs.stripe.com/currencies#three-decimal
    """
    return currency not in money.THREE_DECIMAL or minor % 10 == 0
