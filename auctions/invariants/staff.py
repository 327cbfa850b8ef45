"""What staff did to auctions names who and why (invariant 25)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Q

from auctioncraft.core.invariants import describe, invariant
from auctions.models import AuctionEvent, Product

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auctioncraft.core.invariants import Batch

Kind = AuctionEvent.Kind


@invariant(25, "what staff did to an auction names who and why", over=Product)
def check_staff_events(products: Batch) -> Iterator[str]:
    # A void has no `by`. An actor who is null means the rules: an account that may not win at the close.
    by_staff = Q(kind__in=(Kind.CLOSED, Kind.CANCELLED, Kind.EXTENDED), data__by="staff") | Q(kind=Kind.BID_VOIDED)
    unsigned = Q(private__actor__isnull=True) | Q(private__reason__isnull=True) | Q(private__reason="")
    events = AuctionEvent.objects.filter(products.within("product"), by_staff).filter(unsigned)
    yield from describe(events, "event {} was caused by staff and does not say by whom or why")
