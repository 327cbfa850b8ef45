"""What a buyer pays: the hammer price, the buyer's premium on it, and shipping."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from auctioncraft.core import card_amounts, money
from auctioncraft.core.errors import Invalid

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    Bands = Sequence[Sequence[Decimal | str]]


@dataclass(frozen=True, slots=True)
class SaleTerms:
    """The terms of a sale. A bid and a second-chance offer store those under which they were made.

    `premium_bands` are [(from this hammer price, percent), …]; as stored in JSON, their numbers are text.
    """

    currency: str
    shipping: Decimal
    premium_bands: Bands

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> SaleTerms:
        """Return stored terms."""
        return cls(stored["currency"], Decimal(stored["shipping"]), stored["premium_bands"])

    def to_json(self) -> dict[str, Any]:
        """Return the form to store."""
        return {
            "currency": self.currency,
            "shipping": money.to_text(self.shipping, self.currency),
            "premium_bands": [[str(start), str(percent)] for start, percent in self.premium_bands],
        }

    def premium(self, hammer_price: Decimal) -> Decimal:
        """Return the buyer's premium on a hammer price."""
        return buyers_premium(hammer_price, self.currency, self.premium_bands)

    def total(self, hammer_price: Decimal) -> Decimal:
        """Return what the buyer owes at a hammer price."""
        return hammer_price + self.premium(hammer_price) + self.shipping

    def breakdown(self, hammer_price: Decimal) -> dict[str, Any]:
        """Return hammer price, premium, shipping, total and currency."""
        return {
            "hammer_price": hammer_price,
            "buyers_premium": self.premium(hammer_price),
            "shipping": self.shipping,
            "total": self.total(hammer_price),
            "currency": self.currency,
        }


def check_chargeable(sale: SaleTerms, amounts: Mapping[str, Decimal | None], *, prices: Container[str]) -> None:
    """Check that card networks can express the amounts, by field, and that a card can be charged the total at `prices`.

    `prices` are the fields that may become the hammer price. Raises Invalid with the field.
    """
    for field, amount in amounts.items():
        if amount is None:
            continue
        try:
            card_amounts.check_card_amount(amount, sale.currency)
            if field in prices:
                card_amounts.check_total(sale.total(amount), sale.currency)
        except card_amounts.NotChargeable as error:
            raise Invalid(**{field: str(error)}) from error


def buyers_premium(hammer_price: Decimal, currency: str, bands: Bands) -> Decimal:
    """Return the premium in `currency`, rounded once, half up, to what a card can be charged. Without bands it is zero.

    `bands` are (from this hammer price, percent), ascending from 0, in units of the currency. Each percentage applies
    to the part of the price within its band, as with income tax, so a higher bid never costs less in total.
    """
    premium = Decimal(0)
    for i, (start, percent) in enumerate(bands):
        end = min(hammer_price, Decimal(bands[i + 1][0])) if i + 1 < len(bands) else hammer_price
        premium += max(end - Decimal(start), Decimal(0)) * Decimal(percent) / 100
    return money.round_to_charge_unit(premium, currency)
