"""What a buyer saw is the most that they pay: bids and purchases may name it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auctioncraft.core import money
from auctions.errors import PriceChanged

if TYPE_CHECKING:
    from decimal import Decimal

    from auctioncraft.core.pricing import SaleTerms


def check(terms: SaleTerms, price: Decimal, *, total: Decimal | None, currency: str | None) -> None:
    """Check that `price` costs at most `total`, with premium and shipping, in `currency`; each only if it is given.

    Raises PriceChanged.
    """
    if (total is not None and terms.total(price) > total) or currency not in {None, terms.currency}:
        raise price_changed(terms, price)


def price_changed(terms: SaleTerms, price: Decimal) -> PriceChanged:
    """Return the refusal, which names what `price` costs now."""
    return PriceChanged(
        price=money.to_text(price, terms.currency),
        shipping=money.to_text(terms.shipping, terms.currency),
        premium=money.to_text(terms.premium(price), terms.currency),
        total=money.to_text(terms.total(price), terms.currency),
        currency=terms.currency,
    )
