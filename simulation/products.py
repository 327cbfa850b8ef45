"""What sellers list: random fields for create_product."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from auctioncraft.core import card_amounts, money
from simulation.scheduler import DAY, HOUR

if TYPE_CHECKING:
    from simulation.scheduler import Scheduler

# With 2, 0 and 3 decimals, by weight; below, about how much a dollar is in those that differ much.
CURRENCIES: Final = {"USD": 35, "EUR": 20, "GBP": 15, "JPY": 20, "KWD": 10}
_UNIT_VALUES: Final = {"JPY": Decimal(100), "KWD": Decimal("0.3")}
_DURATIONS: Final = (timedelta(minutes=20), 3 * HOUR, DAY, 3 * DAY, 7 * DAY, 10 * DAY)


@dataclass(frozen=True, slots=True)
class ProductDraft:
    """The fields of a product to list, and its value to the average bidder in its currency."""

    fields: dict[str, Any]
    value: Decimal
    currency: str

    def share(self, share: float) -> Decimal:
        """Return a share of the value, rounded."""
        return share_of(self.value, share, self.currency)


def share_of(value: Decimal, share: float, currency: str) -> Decimal:
    """Return a share of a value, rounded to what a card can be charged, and not less."""
    return max(card_amounts.minimum(currency), money.round_to_charge_unit(value * Decimal(f"{share:.4f}"), currency))


def draft_product(sim: Scheduler, *, category_id: int) -> ProductDraft:
    """Return a random product to list now."""
    rng, chance = sim.rng, sim.chance
    currency = sim.choose(CURRENCIES)
    value = share_of(Decimal(f"{rng.lognormvariate(4.0, 1.5):.2f}") * _UNIT_VALUES.get(currency, 1), 1, currency)
    draft = ProductDraft({}, value, currency)
    duration = rng.choice(_DURATIONS) + sim.between(timedelta(0), HOUR)
    starts_at = sim.now + sim.between(HOUR, 3 * DAY) if chance(0.3) else None
    fields = draft.fields
    fields |= {
        "name": f"Lot {sim.counts['listed'] + 1}",
        "description": "As seen.",
        "category_id": category_id,
        "currency": currency,
        "starting_bid": draft.share(rng.uniform(0.02, 0.7)),
        "starts_at": starts_at,
        "ends_at": (starts_at or sim.now) + duration,
    }
    if chance(0.35):
        fields["reserve_price"] = draft.share(rng.uniform(0.6, 1.6))
    if chance(0.3):
        # Above the starting bid, and at least the reserve.
        lowest = max(fields["starting_bid"] + money.charge_unit(currency), fields.get("reserve_price") or Decimal(0))
        fields["buy_now_price"] = max(lowest, draft.share(rng.uniform(0.8, 1.5)))
    if chance(0.2):
        fields["bid_increment"] = draft.share(rng.uniform(0.01, 0.05))
    if chance(0.3):
        fields["shipping"] = draft.share(rng.uniform(0.02, 0.1))
    if chance(0.4):
        fields["soft_close_window"] = rng.choice((0, 30, 300, 3600))
        fields["soft_close_extension"] = rng.choice((0, 60, 300, 1800))
    return draft
