"""The values that place_bid and a store exchange."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from auctioncraft.core.pricing import SaleTerms
    from auctioncraft.models import IdempotencyKey
    from auctions.formats.base import Format, State, Terms
    from auctions.services.eligibility import Bidder


@dataclass(frozen=True, slots=True)
class AuctionSnapshot:
    """An auction at `now`, the time by the database's clock, with the bidder and the request's credential."""

    rules: Format
    terms: Terms
    sale: SaleTerms
    state: State
    version: int
    seq: int
    alias_salt: str
    now: datetime
    bidder_active: bool
    bidder: Bidder
    credential_good: bool


@dataclass(frozen=True, slots=True)
class BidWrite:
    """Everything that one accepted bid writes, and the version it was evaluated on.

    `bids` and `events` are rows by column, without those that follow from the rest: product, version and time.
    """

    product_id: int
    bidder_id: int
    version: int
    seq: int
    state: State
    placed_at: datetime
    bids: list[dict[str, Any]]
    events: list[dict[str, Any]]
    key: IdempotencyKey | None
