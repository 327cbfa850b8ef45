"""Which amounts a card can be charged, known without asking Stripe. In units of the currency.

Source: https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from auctioncraft.core import money

if TYPE_CHECKING:
    from collections.abc import Mapping

# For a missing currency the minimum is that of the account's currency, converted; only Stripe knows it.
_MINIMUM: Final[Mapping[str, Decimal]] = {
    currency: Decimal(amount)
    for currency, amount in (
        pair.split(":")
        for pair in """AED:2 AUD:0.50 BGN:1 BRL:0.50 CAD:0.50 CHF:0.50 CZK:15 DKK:2.50 EUR:0.50 GBP:0.30 HKD:4 HUF:175
        INR:0.50 JPY:50 MXN:10 MYR:2 NOK:3 NZD:0.50 PLN:2 RON:2 SEK:3 SGD:0.50 THB:10 USD:0.50""".split()  # noqa: SIM905 (lines, not a column)
    )
}
# Eight digits, twelve in rupiah. Stripe counts ISK and UGX in hundredths.
_MAXIMUM: Final[Mapping[int, Decimal]] = {0: Decimal(99_999_999), 2: Decimal("999999.99"), 3: Decimal("99999.99")}
_MAXIMUM_BY_CURRENCY: Final[Mapping[str, Decimal]] = {
    "IDR": Decimal("9999999999.99"),
    "ISK": Decimal(999_999),
    "UGX": Decimal(999_999),
}


class NotChargeable(ValueError):
    """No card can be charged this amount; the message is for people."""


def is_card_amount(amount: Decimal, currency: str) -> bool:
    """Whether card networks, which take two decimals, can express the amount: 5.124 KWD they cannot.

    Source: https://docs.stripe.com/currencies#three-decimal
    """
    return amount % money.charge_unit(currency) == 0


def check_card_amount(amount: Decimal, currency: str) -> None:
    """Raise NotChargeable unless card networks can express the amount."""
    if not is_card_amount(amount, currency):
        raise NotChargeable(f"Cards take two decimals of {currency}: the third one must be 0.")


def minimum(currency: str) -> Decimal:
    """Return the least amount of a charge, also taken for refunds; half a unit, or 50, where none is published."""
    published = _MINIMUM.get(currency, Decimal("0.5" if money.decimals(currency) else 50))
    return published.quantize(money.quantum(currency))


def check_total(total: Decimal, currency: str) -> None:
    """Raise NotChargeable unless a card can be charged exactly this, as far as can be known without asking Stripe."""
    check_card_amount(total, currency)
    least = _MINIMUM.get(currency, money.charge_unit(currency))
    most = _MAXIMUM_BY_CURRENCY.get(currency) or _MAXIMUM[money.decimals(currency)]
    if not least <= total <= most:
        bound = (
            f"least {money.format_amount(least, currency)}"
            if total < least
            else (f"most {money.format_amount(most, currency)}")
        )
        raise NotChargeable(
            f"The total with premium and shipping would be {money.format_amount(total, currency)} {currency}. "
            f"A card can be charged at {bound} {currency}."
        )


def can_charge(*, amount: Decimal, currency: str) -> bool:
    """Whether a card could be charged exactly this. True is no promise: Stripe may refuse all the same."""
    try:
        check_total(amount, currency)
    except NotChargeable:
        return False
    return True
