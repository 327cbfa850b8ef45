"""The buyer's premium, which the buyer pays on top of the hammer price. Pure functions without Django."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from auctioncraft.core import money

if TYPE_CHECKING:
    from collections.abc import Sequence


def buyers_premium(hammer: Decimal, currency: str, bands: Sequence[tuple[Decimal, Decimal]]) -> Decimal:
    """Return the premium in `currency`, rounded once, half up. Without bands it is zero.

    `bands` are (from this hammer price, percent), ascending from 0, in units of the currency. Each percentage applies
    to the part of the price within its band, as with income tax, so a higher bid never costs less in total.
    """
    premium = Decimal(0)
    for i, (start, percent) in enumerate(bands):
        end = min(hammer, bands[i + 1][0]) if i + 1 < len(bands) else hammer
        premium += max(end - start, Decimal(0)) * percent / 100
    return money.round_half_up(premium, currency)
