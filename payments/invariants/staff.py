"""What staff did to orders names who and why (invariant 25)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Q

from auctioncraft.core.invariants import describe, invariant
from payments.models import Order, OrderEvent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auctioncraft.core.invariants import Batch


@invariant(25, "what staff did to an order names who and why", over=Order)
def check_staff_events(orders: Batch) -> Iterator[str]:
    unsigned = Q(actor__isnull=True) | Q(data__note__isnull=True) | Q(data__note="")
    events = OrderEvent.objects.filter(orders.within("order"), role=OrderEvent.Role.STAFF).filter(unsigned)
    yield from describe(events, "event {} of an order was caused by staff and does not say by whom or why")
