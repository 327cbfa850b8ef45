"""Amounts as Stripe counts them. Which of them a card can be charged: auctioncraft/core/card_amounts.py.

Source: https://docs.stripe.com/currencies
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from auctioncraft.core import money

# https://docs.stripe.com/currencies#special-cases: no decimals, yet counted in hundredths.
_COUNTED_IN_HUNDREDTHS: Final = frozenset({"ISK", "UGX"})


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
