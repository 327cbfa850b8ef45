"""React to signals of the apps below: in their transaction, rows only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.dispatch import receiver

from auctions.signals import auction_sold
from payments.services import orders

if TYPE_CHECKING:
    from datetime import datetime

    from auctions.models import Auction


@receiver(auction_sold, dispatch_uid="payments.open_order")
def open_order_of_sale(*, auction: Auction, at: datetime, **_: Any) -> None:
    """Open the order in the transaction of the sale, so that no sale is without one."""
    orders.open_order(auction=auction, at=at)
