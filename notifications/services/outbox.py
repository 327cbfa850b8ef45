"""Write the notifications of the auction events that wait in the outbox."""

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
FULL: Final = 5_000  # notifications, after which a transaction takes no more events: SQLite has one write lock
LOG_AGAIN: Final = 600  # seconds between two log lines about the same event


def source_of(product_id: int, seq: int) -> str:
    """Return the notifications' `source` for an event."""
    return f"product:{product_id}:{seq}"


def write_notifications(*, limit: int = BATCH, seconds: float = 20) -> int:
    """Write the notifications of all events in the outbox; return how many events were processed.

    Each transaction locks up to `limit` outbox rows that nobody else has locked, writes their notifications and
    deliveries, and deletes the rows: a worker that is killed leaves all of that or nothing. Jobs may run in parallel. A
    malformed event is logged and stays in the outbox; the others go on. Begins no transaction after `seconds`. Raises
    OperationalError or InterfaceError if the database is away.
    """
    until = time.monotonic() + seconds
    done = after = 0
    # This read takes no lock, so that an idle job does not block SQLite's writers. It starts at the first row every
    # time, because on PostgreSQL a lower id can become visible after a higher one.
    while time.monotonic() < until and (ids := _waiting(after, limit)):
        processed, after = _write_or_split(ids)
        done += processed
    return done


def _waiting(after: int, limit: int) -> list[int]:
    return list(EventOutbox.objects.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:limit])


def _write_or_split(ids: list[int]) -> tuple[int, int]:
    """Write a batch. If the database rejects it, write each event alone, so that only the bad one stays."""
    try:
        return _write(ids)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:  # noqa: BLE001 (one bad event must not stop the others)
        if len(ids) == 1:
            _report(ids[0], error)
            return 0, ids[0]
        return sum(_write_or_split([pk])[0] for pk in ids), ids[-1]


def _write(ids: list[int]) -> tuple[int, int]:
    """Return how many events were processed, and the last id that was read."""
    processed: list[int] = []
    drafts: list[NotificationDraft] = []
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
                new = list(_render_drafts(events[row.product_id, row.seq], bidders[row.product_id]))
            except (KeyError, TypeError, ValueError) as error:
                _report(row.pk, error)
                continue
            drafts += new
            size += sum(len(draft.recipients) for draft in new)
            processed.append(row.pk)
        store_notifications(drafts)
        ending_soon.reset(event for event in events.values() if audience.moves_the_end(event))
        EventOutbox.objects.filter(pk__in=processed).delete()
    return len(processed), last


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
    """Return the bidders by product, for products with an event in FOR_ALL_BIDDERS.

    Bidders whose bids were all voided are not included: they were notified of that.
    """
    products = {event.product_id for event in events if event.kind in audience.FOR_ALL_BIDDERS}
    found: defaultdict[int, set[int]] = defaultdict(set)
    if products:
        bids = Bid.objects.made_by_people().valid().filter(product_id__in=products).order_by()
        for product_id, bidder_id in bids.values_list("product_id", "bidder_id").distinct().iterator():
            found[product_id].add(bidder_id)
    return found


def _render_drafts(event: AuctionEvent, bidders: set[int]) -> Iterator[NotificationDraft]:
    """Yield the event's notifications. Raises KeyError, TypeError or ValueError if its data is malformed."""
    for spec in audience.specs_for(event, bidders):
        yield NotificationDraft.render(
            spec.kind,
            variant=spec.variant,
            source=source_of(event.product_id, event.seq),
            context={**event.data, "product": event.product.name, **spec.context},
            recipients=sorted(spec.recipients),
            product_id=event.product_id,
        )


_reported: dict[int, float] = {}


def _report(outbox_id: int, error: Exception) -> None:
    """Log a malformed event every 10 minutes, without the error's text, which may contain private values."""
    now = time.monotonic()
    if now - _reported.get(outbox_id, -LOG_AGAIN) >= LOG_AGAIN:
        _reported[outbox_id] = now
        logger.error("outbox row %s cannot be processed and stays: %s", outbox_id, type(error).__name__)
