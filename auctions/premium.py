"""The buyer's premium: what the house adds to the hammer price. Pure: no Django, no clock, no database."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from auctioncraft.core import money

if TYPE_CHECKING:
    from collections.abc import Sequence


def buyers_premium(hammer: Decimal, currency: str, bands: Sequence[tuple[Decimal, Decimal]]) -> Decimal:
    """Return the premium in `currency`, rounded once, half up, to its smallest amount. No bands: zero.

    `bands`: (from this hammer price, this many percent), ascending, the first from 0, in units of the currency at
    hand. Marginal, as a tax is: each percentage applies to the part of the price that lies within its band, so that
    a higher bid never costs less in total.
    """
    premium = Decimal(0)
    for i, (start, percent) in enumerate(bands):
        end = min(hammer, bands[i + 1][0]) if i + 1 < len(bands) else hammer
        premium += max(end - start, Decimal(0)) * percent / 100
    return money.round_half_up(premium, currency)
