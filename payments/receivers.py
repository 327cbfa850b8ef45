"""What this app does when the auctions below it change: in their transaction, rows only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.dispatch import receiver

from auctions.models import Auction
from auctions.signals import auction_closed
from payments.services import orders

if TYPE_CHECKING:
    from auctions.models import Auction as ClosedAuction


@receiver(auction_closed, dispatch_uid="payments.open_order")
def open_order_of_sale(*, auction: ClosedAuction, **_: Any) -> None:
    """Open the order in the transaction that closed the auction: there is never a sale without one."""
    if auction.status == Auction.Status.SOLD:
        orders.open_order(auction=auction)
