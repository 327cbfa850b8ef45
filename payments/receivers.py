"""What this app does when something happens in the apps below it: in their transaction, rows only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.dispatch import receiver

from accounts.signals import data_requested, erasure_requested
from auctions.signals import auction_sold
from payments.services import export, orders

if TYPE_CHECKING:
    from datetime import datetime

    from accounts.models import User
    from auctions.models import Auction


@receiver(auction_sold, dispatch_uid="payments.open_order")
def open_order_of_sale(*, auction: Auction, at: datetime, **_: Any) -> None:
    """Open the order in the transaction that sold it: there is never a sale without one."""
    orders.open_order(auction=auction, at=at)


@receiver(data_requested, dispatch_uid="payments.export")
def hand_out(*, user: User, **_: Any) -> dict[str, list[dict[str, Any]]]:
    """Add what they bought and sold."""
    return export.sections(user=user)


@receiver(erasure_requested, dispatch_uid="payments.erasure_requested")
def object_to(*, user: User, **_: Any) -> list[dict[str, Any]]:
    """Say what they owe, or are owed: the order, whichever side they are on."""
    return [{"reason": "unpaid_order", "order": pk} for pk in orders.unpaid_of(user_id=user.pk)]
