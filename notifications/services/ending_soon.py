"""Telling people that an auction is about to end, once: by then there is no event that would say so."""

from __future__ import annotations

import time
import uuid
from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet

from auctioncraft.core import clock, money
from auctions.models import Auction, Bid, Watch
from notifications.kinds import format_datetime
from notifications.models import EndingSoonSent
from notifications.services.notification_writer import NotificationDraft, store_notifications

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from auctions.models import AuctionEvent

BATCH: Final = 100  # auctions per transaction
FULL: Final = 5_000  # notices, after which a transaction takes no further auction: others wait for SQLite's one lock
NOTIFY_BEFORE: Final = timedelta(hours=1)
# One listed for less than this is soon over from the beginning.
LEAST_LENGTH: Final = timedelta(hours=2)


def source_of(product_id: int) -> str:
    """Return the name under which the notices of an auction's end to come are written."""
    return f"product:{product_id}:ending"


def notify_ending_soon(*, limit: int = BATCH, seconds: float = 20) -> int:
    """Tell watchers, and bidders who do not lead, of each auction that ends within the hour; return how many auctions.

    Each transaction claims up to `limit` of them by inserting their EndingSoonSent, and writes their notices: killed at
    any moment it leaves all of it or nothing. Any number may run at once. Those who follow it later are not told, and
    an end that a soft close moves is not told again. Begins nothing new after `seconds`.
    """
    until = time.monotonic() + seconds
    told = 0
    # This read takes no lock, so an idle sweep does not stand in the way of SQLite's writers.
    while time.monotonic() < until and (ids := list(_ending(clock.now()).values_list("pk", flat=True)[:limit])):
        told += _tell(ids)
    return told


def forget(events: Iterable[AuctionEvent]) -> None:
    """Have the ends that somebody moved told when their time comes; in the caller's transaction.

    Nobody who was told before is told again: the source of the notice stays.
    """
    if moved := {event.product_id for event in events}:
        EndingSoonSent.objects.filter(product_id__in=moved).delete()


def _ending(now: datetime) -> QuerySet[Auction]:
    """Return what is to be dealt with, the nearest first: an index of open auctions by their end leads there."""
    told = EndingSoonSent.objects.filter(product=OuterRef("pk"))
    return _near(now).filter(~Exists(told)).order_by("ends_at", "product_id")


def _near(now: datetime) -> QuerySet[Auction]:
    near: QuerySet[Auction] = Auction.objects.filter(
        status=Auction.Status.OPEN, ends_at__gt=now, ends_at__lte=now + NOTIFY_BEFORE
    )
    return near


def _tell(ids: list[int]) -> int:
    notices: list[NotificationDraft] = []
    size = 0
    with transaction.atomic(durable=True):
        # A short auction is claimed and not told: a soft close could else make it look like a long one.
        long = [auction for auction in _claim(ids) if auction.ends_at - auction.starts_at >= LEAST_LENGTH]
        audience = _audience([auction.pk for auction in long])
        for position, auction in enumerate(long):
            if size >= FULL:
                EndingSoonSent.objects.filter(product__in=[left.pk for left in long[position:]]).delete()
                break
            notices.append(_notice(auction, audience[auction.pk]))
            size += len(audience[auction.pk])
        store_notifications(notices)
    return len(notices)


def _claim(ids: list[int]) -> list[Auction]:
    """Return those of the auctions that no other sweep has claimed and that are still near their end.

    By primary key: where two sweeps insert the same rows, the second waits for the first and inserts the rest.
    """
    claim = uuid.uuid4()
    rows = [EndingSoonSent(product_id=pk, claim=claim) for pk in sorted(ids)]
    EndingSoonSent.objects.bulk_create(rows, ignore_conflicts=True)
    mine = EndingSoonSent.objects.filter(product=OuterRef("pk"), claim=claim)
    claimed = _near(clock.now()).filter(Exists(mine), pk__in=ids)
    return list(claimed.select_related("product").order_by("ends_at", "product_id"))


def _audience(products: list[int]) -> defaultdict[int, set[int]]:
    """Return who is told, by product. The leader need not do anything; unless they asked, by watching it."""
    standing = Bid.objects.made_by_people().valid().filter(product__in=products).order_by()
    behind = standing.exclude(product__auction__leader=F("bidder")).values_list("product_id", "bidder_id").distinct()
    found: defaultdict[int, set[int]] = defaultdict(set)
    for pairs in (behind, Watch.objects.filter(product__in=products).values_list("product_id", "user_id")):
        for product_id, user_id in pairs.iterator():
            found[product_id].add(user_id)
    return found


def _notice(auction: Auction, recipients: set[int]) -> NotificationDraft:
    product = auction.product
    return NotificationDraft.of(
        "auction_ending_soon",
        case="no_bids" if auction.price is None else "",
        source=source_of(auction.pk),
        context={
            "product": product.name,
            "currency": product.currency,
            "ends_at": format_datetime(auction.ends_at),
            "current_price": money.to_text_or_none(auction.price, product.currency),
            "minimum_bid": money.to_text(product.rules.minimum_bid(product.terms(), auction.price), product.currency),
        },
        recipients=sorted(recipients),
        product_id=auction.pk,
    )
