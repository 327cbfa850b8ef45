"""What the sale comes to afterwards, as far as the auction knows: whether the winner has paid."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auctions.models import Auction

if TYPE_CHECKING:
    from datetime import datetime


def settle(*, product_id: int, at: datetime) -> None:
    """Note that the winner has paid, at `at`, UTC. Called inside the transaction that marks the order paid."""
    Auction.objects.filter(pk=product_id, settled_at__isnull=True).update(settled_at=at)
