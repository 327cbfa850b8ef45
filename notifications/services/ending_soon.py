"""Notify users once that an auction ends soon. No event announces that, so a job looks for it."""

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
FULL: Final = 5_000  # notifications, after which a transaction takes no more auctions: SQLite has one write lock
NOTIFY_BEFORE: Final = timedelta(hours=1)
# Shorter auctions end soon from the start.
MIN_DURATION: Final = timedelta(hours=2)


def source_of(product_id: int) -> str:
    """Return the notifications' `source` for an auction."""
    return f"product:{product_id}:ending"


def notify_ending_soon(*, limit: int = BATCH, seconds: float = 20) -> int:
    """Notify watchers, and bidders who are not leading, of auctions that end within the hour; return how many auctions.

    Each transaction claims up to `limit` auctions by inserting their EndingSoonSent rows and writes the notifications:
    a worker that is killed leaves all of that or nothing. Jobs may run in parallel. Users who watch later are not
    notified, and neither is anybody again if a soft close moves the end. Begins no transaction after `seconds`.
    """
    until = time.monotonic() + seconds
    notified = 0
    # This read takes no lock, so that an idle job does not block SQLite's writers.
    while time.monotonic() < until and (ids := list(_unsent(clock.now()).values_list("pk", flat=True)[:limit])):
        notified += _notify(ids)
    return notified


def reset(events: Iterable[AuctionEvent]) -> None:
    """Notify again when the moved ends come near; in the caller's transaction.

    Users who were notified before are not notified again, because the source stays the same.
    """
    if moved := {event.product_id for event in events}:
        EndingSoonSent.objects.filter(product_id__in=moved).delete()


def _unsent(now: datetime) -> QuerySet[Auction]:
    sent = EndingSoonSent.objects.filter(product=OuterRef("pk"))
    # By the index of open auctions.
    return _ending_soon(now).filter(~Exists(sent)).order_by("ends_at", "product_id")


def _ending_soon(now: datetime) -> QuerySet[Auction]:
    found: QuerySet[Auction] = Auction.objects.filter(
        status=Auction.Status.OPEN, ends_at__gt=now, ends_at__lte=now + NOTIFY_BEFORE
    )
    return found


def _notify(ids: list[int]) -> int:
    drafts: list[NotificationDraft] = []
    size = 0
    with transaction.atomic(durable=True):
        # Short auctions are claimed but get no notifications: otherwise a soft close could make them look long.
        long = [auction for auction in _claim(ids) if auction.ends_at - auction.starts_at >= MIN_DURATION]
        audience = _audience([auction.pk for auction in long])
        for position, auction in enumerate(long):
            if size >= FULL:
                EndingSoonSent.objects.filter(product__in=[left.pk for left in long[position:]]).delete()
                break
            drafts.append(_render_draft(auction, audience[auction.pk]))
            size += len(audience[auction.pk])
        store_notifications(drafts)
    return len(drafts)


def _claim(ids: list[int]) -> list[Auction]:
    """Return the auctions that no other job has claimed and that still end soon.

    In the order of the primary key: if two jobs insert the same rows, the second waits and inserts the others.
    """
    claim = uuid.uuid4()
    rows = [EndingSoonSent(product_id=pk, claim=claim) for pk in sorted(ids)]
    EndingSoonSent.objects.bulk_create(rows, ignore_conflicts=True)
    mine = EndingSoonSent.objects.filter(product=OuterRef("pk"), claim=claim)
    claimed = _ending_soon(clock.now()).filter(Exists(mine), pk__in=ids)
    return list(claimed.select_related("product").order_by("ends_at", "product_id"))


def _audience(products: list[int]) -> defaultdict[int, set[int]]:
    """Return the recipients by product: watchers, and bidders with a valid bid who are not leading."""
    valid = Bid.objects.made_by_people().valid().filter(product__in=products).order_by()
    behind = valid.exclude(product__auction__leader=F("bidder")).values_list("product_id", "bidder_id").distinct()
    found: defaultdict[int, set[int]] = defaultdict(set)
    for pairs in (behind, Watch.objects.filter(product__in=products).values_list("product_id", "user_id")):
        for product_id, user_id in pairs.iterator():
            found[product_id].add(user_id)
    return found


def _render_draft(auction: Auction, recipients: set[int]) -> NotificationDraft:
    product = auction.product
    return NotificationDraft.render(
        "auction_ending_soon",
        variant="no_bids" if auction.price is None else "",
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
