"""Invariants of the money (10-15 and 25 of docs/invariants.md): see auctioncraft/core/invariants.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auctioncraft.core.invariants import changed_since
from payments.invariants import cards, orders, payments, payouts, staff
from payments.models import Order, OrderEvent

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models import QuerySet


@changed_since(Order)
def list_changed_orders(since: datetime) -> QuerySet[OrderEvent, int]:
    """Return the ids of the orders that have an event since: every change of an order, and of its money, writes one."""
    return OrderEvent.objects.order_by().filter(at__gte=since).values_list("order_id", flat=True).distinct()
