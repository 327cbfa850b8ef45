"""From the event log to notices: the sweep that tells people of what waits in the outbox."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Q

from auctions.models import AuctionEvent, Bid, EventOutbox
from notifications.services import audience, ending_soon
from notifications.services.notification_writer import NotificationDraft, store_notifications

if TYPE_CHECKING:
    from collections.abc import Iterator

logger = logging.getLogger(__name__)

BATCH: Final = 200  # events per transaction
FULL: Final = 5_000  # notices, after which a transaction takes no further event: others wait for SQLite's one lock
LOG_AGAIN: Final = 600  # seconds between two lines about the same event


def source_of(product_id: int, seq: int) -> str:
    """Return the name under which an event's notices are written."""
    return f"product:{product_id}:{seq}"


def write_notifications(*, limit: int = BATCH, seconds: float = 20) -> int:
    """Write the notices of all events that wait in the outbox, `limit` a transaction; return how many events.

    Each transaction locks outbox rows that nobody else has locked, writes their notices and deliveries, deletes the
    rows: a worker killed at any moment leaves either all of it or nothing. Any number may run at once. An event that
    cannot be told is logged and left in the outbox; the others go on. Begins nothing new after `seconds`. Raises
    OperationalError or InterfaceError if the database is away: what is not committed is there for the next sweep.
    """
    until = time.monotonic() + seconds
    done = after = 0
    # This read takes no lock, so an idle sweep does not stand in the way of SQLite's writers. It starts at the front
    # every time: on PostgreSQL a lower id can become visible after a higher one.
    while time.monotonic() < until and (ids := _waiting(after, limit)):
        told, after = _write_or_part(ids)
        done += told
    return done


def _waiting(after: int, limit: int) -> list[int]:
    return list(EventOutbox.objects.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:limit])


def _write_or_part(ids: list[int]) -> tuple[int, int]:
    """Write a batch; if the database refuses it, each event alone, so that only the bad one stays."""
    try:
        return _write(ids)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:  # noqa: BLE001 (whatever is wrong with one event must not stop the others)
        if len(ids) == 1:
            _report(ids[0], error)
            return 0, ids[0]
        return sum(_write_or_part([pk])[0] for pk in ids), ids[-1]


def _write(ids: list[int]) -> tuple[int, int]:
    """Return how many events were dealt with, and the last id looked at."""
    dealt_with: list[int] = []
    notices: list[NotificationDraft] = []
    last = ids[-1]
    with transaction.atomic(durable=True):
        claimed = list(EventOutbox.objects.select_for_update(skip_locked=True).filter(pk__in=ids).order_by("pk"))
        events = _events(claimed)
        bidders = _bidders(list(events.values()))
        size = 0
        for position, row in enumerate(claimed):
            if size >= FULL:
                last = claimed[position - 1].pk
                break
            try:
                told = list(_notices(events[row.product_id, row.seq], bidders[row.product_id]))
            except (KeyError, TypeError, ValueError) as error:
                _report(row.pk, error)
                continue
            notices += told
            size += sum(len(notice.recipients) for notice in told)
            dealt_with.append(row.pk)
        store_notifications(notices)
        ending_soon.forget(event for event in events.values() if audience.moves_the_end(event))
        EventOutbox.objects.filter(pk__in=dealt_with).delete()
    return len(dealt_with), last


def _events(rows: list[EventOutbox]) -> dict[tuple[int, int], AuctionEvent]:
    by_product: defaultdict[int, list[int]] = defaultdict(list)
    for row in rows:
        by_product[row.product_id].append(row.seq)
    if not by_product:
        return {}
    wanted = Q()
    for product_id, seqs in by_product.items():
        wanted |= Q(product_id=product_id, seq__in=seqs)
    events = AuctionEvent.objects.filter(wanted).order_by().select_related("product")
    events = events.only(
        "product_id", "seq", "kind", "data", "private", "product__name", "product__seller_id", "product__currency"
    )
    return {(event.product_id, event.seq): event for event in events}


def _bidders(events: list[AuctionEvent]) -> defaultdict[int, set[int]]:
    """Return everybody who has a bid, for the products whose events concern them all.

    Not those whose bids were all voided: they were told so then, and what their proxies did for them counts no more.
    """
    products = {event.product_id for event in events if event.kind in audience.FOR_ALL_BIDDERS}
    found: defaultdict[int, set[int]] = defaultdict(set)
    if products:
        bids = Bid.objects.made_by_people().valid().filter(product_id__in=products).order_by()
        for product_id, bidder_id in bids.values_list("product_id", "bidder_id").distinct().iterator():
            found[product_id].add(bidder_id)
    return found


def _notices(event: AuctionEvent, bidders: set[int]) -> Iterator[NotificationDraft]:
    """Yield what the event says to whom. Raises KeyError, TypeError or ValueError if it is not what auctions writes."""
    for words in audience.of(event, bidders):
        yield NotificationDraft.of(
            words.kind,
            case=words.case,
            source=source_of(event.product_id, event.seq),
            context={**event.data, "product": event.product.name, **words.context},
            recipients=sorted(words.recipients),
            product_id=event.product_id,
        )


_reported: dict[int, float] = {}


def _report(outbox_id: int, error: Exception) -> None:
    """Log an event that cannot be told: not every second, and only the error's name, for its text may hold values."""
    now = time.monotonic()
    if now - _reported.get(outbox_id, -LOG_AGAIN) >= LOG_AGAIN:
        _reported[outbox_id] = now
        logger.error("event of outbox row %s cannot be told and stays there: %s", outbox_id, type(error).__name__)
