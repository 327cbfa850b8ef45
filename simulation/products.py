"""What sellers list: fields of create_product, of every kind that it takes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from auctioncraft.core import money
from simulation.scheduler import DAY, HOUR

if TYPE_CHECKING:
    from simulation.scheduler import Stage

# 2, 0 and 3 decimals, and what a dollar is about worth in each.
CURRENCIES: Final = {"USD": 35, "EUR": 20, "GBP": 15, "JPY": 20, "KWD": 10}
_WORTH: Final = {"JPY": Decimal(100), "KWD": Decimal("0.3")}
_LENGTHS: Final = (timedelta(minutes=20), 3 * HOUR, DAY, 3 * DAY, 7 * DAY, 10 * DAY)


@dataclass(frozen=True, slots=True)
class Ware:
    """What is to be listed, and what it is worth to the average bidder, in its currency."""

    fields: dict[str, Any]
    worth: Decimal
    currency: str

    def part(self, share: float) -> Decimal:
        """Return a share of its worth as an amount of the currency, above zero."""
        return part_of(self.worth, share, self.currency)


def part_of(worth: Decimal, share: float, currency: str) -> Decimal:
    """Return a share of `worth` as an amount of the currency, above zero."""
    return max(money.quantum(currency), money.round_half_up(worth * Decimal(f"{share:.4f}"), currency))


def new_ware(stage: Stage, *, category_id: int) -> Ware:
    """Return something to list now, by chance."""
    rng, chance = stage.rng, stage.chance
    currency = stage.choose(CURRENCIES)
    worth = part_of(Decimal(f"{rng.lognormvariate(4.0, 1.5):.2f}") * _WORTH.get(currency, 1), 1, currency)
    ware = Ware({}, worth, currency)
    length = rng.choice(_LENGTHS) + stage.between(timedelta(0), HOUR)
    starts_at = stage.now + stage.between(HOUR, 3 * DAY) if chance(0.3) else None
    fields = ware.fields
    fields |= {
        "name": f"Lot {stage.counts['listed'] + 1}",
        "description": "As seen.",
        "category_id": category_id,
        "currency": currency,
        "starting_bid": ware.part(rng.uniform(0.02, 0.7)),
        "starts_at": starts_at,
        "ends_at": (starts_at or stage.now) + length,
    }
    if chance(0.35):
        fields["reserve_price"] = ware.part(rng.uniform(0.6, 1.6))
    if chance(0.3):
        # Above the starting bid, and at least the reserve.
        least = max(fields["starting_bid"] + money.quantum(currency), fields.get("reserve_price") or Decimal(0))
        fields["buy_now_price"] = max(least, ware.part(rng.uniform(0.8, 1.5)))
    if chance(0.2):
        fields["bid_increment"] = ware.part(rng.uniform(0.01, 0.05))
    if chance(0.3):
        fields["shipping"] = ware.part(rng.uniform(0.02, 0.1))
    if chance(0.4):
        fields["soft_close_window"] = rng.choice((0, 30, 300, 3600))
        fields["soft_close_extension"] = rng.choice((0, 60, 300, 1800))
    return ware
