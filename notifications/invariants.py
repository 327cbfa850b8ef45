"""What must always be true of notices (invariants 16 and 17), as read-only queries over the whole tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.db.models import (
    BigIntegerField,
    Case,
    CharField,
    Count,
    Exists,
    F,
    OuterRef,
    Q,
    QuerySet,
    TextField,
    Value,
    When,
)
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Concat

from auctions.models import AuctionEvent, Bid, EventOutbox
from notifications.kinds import KINDS, MAILED
from notifications.models import Delivery, Notification

if TYPE_CHECKING:
    from collections.abc import Callable


def sold_without_notice() -> list[str]:
    """Every sale that was dealt with has told its winner and its seller."""
    sold = _dealt_with().filter(kind=AuctionEvent.Kind.CLOSED, data__result="sold")
    return _missing(sold, "auction_won", _user_in("winner")) + _missing(sold, "auction_sold", F("product__seller_id"))


def unsold_without_notice() -> list[str]:
    """Every auction that ended without a sale and was dealt with has told its seller."""
    closed = _dealt_with().filter(kind=AuctionEvent.Kind.CLOSED)
    unsold = closed.filter(Q(data__result="reserve_not_met") | Q(data__result="no_bids"))
    return _missing(unsold, "auction_unsold", F("product__seller_id"))


def lost_without_notice() -> list[str]:
    """Every bidder of an auction that closed and was dealt with, but the winner, was told."""
    closed = _dealt_with().filter(kind=AuctionEvent.Kind.CLOSED, product=OuterRef("product"))
    losers = (
        Bid.objects.order_by()
        .filter(product__events__kind=AuctionEvent.Kind.CLOSED)
        .exclude(product__auction__winner=F("bidder"))
        .annotate(seq_of_close=F("product__events__seq"))
        .filter(Exists(closed))
        .annotate(source=_source("product_id", "seq_of_close"))
        .filter(~Exists(_notice("auction_lost", "bidder_id")))
        .values_list("product_id", "bidder_id")
        .distinct()
        .order_by("product_id", "bidder_id")
    )
    return [f"user {bidder} lost product {product} and was not told" for product, bidder in losers]


def outbid_without_notice() -> list[str]:
    """Every leader who was displaced was told, once the event was dealt with."""
    placed = _dealt_with().filter(kind=AuctionEvent.Kind.BID_PLACED)
    return _missing(placed, "outbid", _user_in("outbid"))


def notices_twice() -> list[str]:
    """Nobody has the same notice twice: a constraint says so, and is checked all the same."""
    twice = (
        Notification.objects.order_by()
        .values_list("recipient_id", "kind", "source")
        .annotate(times=Count("pk"))
        .filter(times__gt=1)
    )
    return [f"user {recipient} has {kind} of {source} {times} times" for recipient, kind, source, times in twice]


def outbox_without_event() -> list[str]:
    """Every outbox row has its event in the log."""
    event = AuctionEvent.objects.filter(product_id=OuterRef("product_id"), seq=OuterRef("seq"))
    return [f"outbox row {row.pk}: no {row}" for row in EventOutbox.objects.filter(~Exists(event))]


def mailed_without_delivery() -> list[str]:
    """Every notice of a kind that goes out by mail has its delivery."""
    bare = Notification.objects.order_by().filter(kind__in=MAILED, delivery__isnull=True)
    return [f"notification {row.pk} ({row.kind}) has no delivery" for row in bare.only("pk", "kind")]


def kinds_unknown() -> list[str]:
    """Every notice is of a kind that is registered."""
    unknown = Notification.objects.order_by().exclude(kind__in=KINDS).only("pk", "kind")
    return [f"notification {row.pk} is of unknown kind {row.kind}" for row in unknown]


def deliveries_sent_and_given_up() -> list[str]:
    """Every mail went out, or was given up, or waits."""
    both = Delivery.objects.filter(sent_at__isnull=False, given_up_at__isnull=False).only("pk")
    return [f"delivery {row.pk} is both sent and given up" for row in both]


CHECKS: Final[dict[str, Callable[[], list[str]]]] = {
    "16 every sale has told its winner and its seller": sold_without_notice,
    "16 every auction without a sale has told its seller": unsold_without_notice,
    "16 every loser was told": lost_without_notice,
    "16 everybody who was outbid was told": outbid_without_notice,
    "16 what waits to be told is in the log": outbox_without_event,
    "16 every notice is of a known kind": kinds_unknown,
    "17 nobody has a notice twice": notices_twice,
    "17 every mailed notice has its delivery": mailed_without_delivery,
    "17 a mail is sent, or given up, or waits": deliveries_sent_and_given_up,
}


def _source(product: str, seq: str) -> Concat:
    """As services.events.source_of, in the database."""
    return Concat(
        Value("product:"), Cast(product, TextField()), Value(":"), Cast(seq, TextField()), output_field=CharField()
    )


def _user_in(key: str) -> Case:
    """Return the user id that an event names; none where it is not a number: a check must not fail on what it finds."""
    number = Q(**{f"private__{key}__regex": r"^[0-9]{1,18}$"})
    return Case(When(number, then=Cast(KeyTextTransform(key, "private"), BigIntegerField())))


def _notice(kind: str, recipient: str) -> QuerySet[Notification]:
    """Return the notice of the outer row: by recipient first, for that is how the unique index begins."""
    found: QuerySet[Notification] = Notification.objects.filter(
        recipient=OuterRef(recipient), kind=kind, source=OuterRef("source")
    )
    return found


def _dealt_with() -> QuerySet[AuctionEvent]:
    """Return the events that no longer wait in the outbox."""
    waiting = EventOutbox.objects.filter(product_id=OuterRef("product_id"), seq=OuterRef("seq"))
    return AuctionEvent.objects.order_by().filter(~Exists(waiting))


def _missing(events: QuerySet[AuctionEvent], kind: str, recipient: Any) -> list[str]:
    rows = (
        events.annotate(recipient=recipient, source=_source("product_id", "seq"))
        .filter(recipient__isnull=False)
        .filter(~Exists(_notice(kind, "recipient")))
        .values_list("product_id", "seq", "recipient")
    )
    return [f"event {seq} of product {product}: no {kind} to user {user}" for product, seq, user in rows]
