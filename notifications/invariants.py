"""Invariants of notifications and emails (16, 17 and 20 of docs/invariants.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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

from accounts.models import User
from auctioncraft.core import clock
from auctioncraft.core.invariants import changed_since, describe, invariant
from auctions.models import AuctionEvent, Bid, EventOutbox, Product
from notifications.kinds import KINDS, REQUIRED_KINDS
from notifications.models import EmailDelivery, Notification, Preference
from notifications.services.email_delivery import DELIVERY_RETENTION
from payments.models import Order, Refund

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from auctioncraft.core.invariants import Batch


@changed_since(Notification)
def list_new_notifications(since: datetime) -> QuerySet[Notification, int]:
    """Return the ids of the notifications written since: nothing of them changes but whether they were read."""
    return Notification.objects.order_by().filter(created_at__gte=since).values_list("pk", flat=True)


@invariant(23, "a changed preference belongs to a proved address", over=Preference)
def check_preference_owners_proved(preferences: Batch) -> Iterator[str]:
    # docs/accounts.md: nobody mutes the notifications of another person's address.
    for pk in preferences.rows.filter(user__email_verified_at__isnull=True).values_list("pk", flat=True):
        yield f"preference {pk} belongs to an address that nobody has proved"


@invariant(16, "winners and sellers are notified of sales", over=Product)
def check_sale_notifications(products: Batch) -> Iterator[str]:
    later = Q(kind__in=(AuctionEvent.Kind.RESERVE_WAIVED, AuctionEvent.Kind.SECOND_CHANCE_ACCEPTED))
    sold = _processed(products).filter(Q(kind=AuctionEvent.Kind.CLOSED, data__result="sold") | later)
    yield from _missing(sold, "auction_won", _user_in("winner"))
    yield from _missing(sold, "auction_sold", F("product__seller_id"))


@invariant(16, "sellers are notified of auctions without a sale", over=Product)
def check_unsold_notifications(products: Batch) -> Iterator[str]:
    closed = _processed(products).filter(kind=AuctionEvent.Kind.CLOSED)
    unsold = closed.filter(Q(data__result="reserve_not_met") | Q(data__result="no_bids"))
    yield from _missing(unsold, "auction_unsold", F("product__seller_id"))


@invariant(16, "losing bidders are notified", over=Product)
def check_lost_notifications(products: Batch) -> Iterator[str]:
    # Except those whose bids were all voided: they were notified of that.
    bidders = _bidders_at(AuctionEvent.Kind.CLOSED, products)
    losers = bidders.annotate(winner=_user_in("winner", "product__events__private")).filter(
        Q(winner__isnull=True) | ~Q(winner=F("bidder"))
    )
    for product, bidder in _pairs(losers.filter(~Exists(_notification("auction_lost", "bidder_id")))):
        yield f"product {product}: user {bidder} lost it and was not notified"


@invariant(16, "users are notified when they are outbid", over=Product)
def check_outbid_notifications(products: Batch) -> Iterator[str]:
    placed = _processed(products).filter(kind=AuctionEvent.Kind.BID_PLACED)
    yield from _missing(placed, "outbid", _user_in("outbid"))


@invariant(16, "users are notified of cancelled auctions", over=Product)
def check_cancellation_notifications(products: Batch) -> Iterator[str]:
    cancelled = _processed(products).filter(kind=AuctionEvent.Kind.CANCELLED)
    yield from _missing(cancelled, "auction_cancelled", F("product__seller_id"))
    bidders = _bidders_at(AuctionEvent.Kind.CANCELLED, products)
    for product, bidder in _pairs(bidders.filter(~Exists(_notification("auction_cancelled", "bidder_id")))):
        yield f"product {product}: user {bidder} bid on it, it was cancelled and they were not notified"


@invariant(16, "users are notified of voided bids", over=Product)
def check_void_notifications(products: Batch) -> Iterator[str]:
    # The leaders before and after.
    voided = _processed(products).filter(kind=AuctionEvent.Kind.BID_VOIDED)
    recipients = (F("product__seller_id"), *map(_user_in, ("bidder", "leader", "former_leader")))
    lines = [line for recipient in recipients for line in _missing(voided, "bid_voided", recipient)]
    yield from dict.fromkeys(lines)


@invariant(16, "users are notified of second chances", over=Product)
def check_second_chance_notifications(products: Batch) -> Iterator[str]:
    offered = _processed(products).filter(kind=AuctionEvent.Kind.SECOND_CHANCE_OFFERED)
    yield from _missing(offered, "second_chance_offer", _user_in("bidder"))
    ended = (AuctionEvent.Kind.SECOND_CHANCE_DECLINED, AuctionEvent.Kind.SECOND_CHANCE_LAPSED)
    yield from _missing(_processed(products).filter(kind__in=ended), "second_chance_ended", F("product__seller_id"))


@invariant(16, "users are notified of their orders", over=Order)
def check_order_notifications(orders: Batch) -> Iterator[str]:
    for kind, change, status, parties in (
        ("payment_due", "opened", None, ("buyer_id",)),
        ("payment_succeeded", "paid", Order.Status.PAID, ("buyer_id", "seller_id")),
        ("payment_expired", "expired", Order.Status.EXPIRED, ("buyer_id", "seller_id")),
    ):
        source = Concat(Value("order:"), Cast("pk", TextField()), Value(f":{change}"), output_field=CharField())
        concerned = orders.rows.filter(status=status) if status else orders.rows
        for party in parties:
            unnotified = concerned.annotate(source=source).filter(~Exists(_notification(kind, party)))
            for pk, user in unnotified.exclude(**{f"{party}__in": User.objects.erased()}).values_list("pk", party):
                yield f"order {pk}: no {kind} to user {user}"


@invariant(16, "buyers are notified of refunds", over=Order)
def check_refund_notifications(orders: Batch) -> Iterator[str]:
    order = Cast("payment__order_id", TextField())
    source = Concat(
        *(Value("order:"), order, Value(":refund:"), Cast("pk", TextField())),
        output_field=CharField(),
    )
    of_orders = Refund.objects.filter(orders.within("payment__order"), status=Refund.Status.SUCCEEDED)
    unnotified = of_orders.annotate(source=source).filter(
        ~Exists(_notification("refund_issued", "payment__order__buyer_id"))
    )
    rows = unnotified.exclude(payment__order__buyer__in=User.objects.erased()).order_by("pk")
    yield from describe(rows, "refund {}: no refund_issued to user {}", "payment__order__buyer_id")


@invariant(16, "every outbox row has its event in the log", over=EventOutbox)
def check_outbox(outbox: Batch) -> Iterator[str]:
    # The row is deleted when the notifications are written.
    event = AuctionEvent.objects.filter(product_id=OuterRef("product_id"), seq=OuterRef("seq"))
    for row in outbox.rows.filter(~Exists(event)):
        yield f"outbox row {row.pk}: no {row}"


@invariant(16, "notifications are of a registered kind", over=Notification)
def check_kinds(notifications: Batch) -> Iterator[str]:
    # notifications/kinds.py registers them.
    yield from describe(notifications.rows.exclude(kind__in=KINDS), "notification {} is of unknown kind {}", "kind")


@invariant(17, "nobody has the same notification twice", over=User)
def check_duplicates(users: Batch) -> Iterator[str]:
    # A constraint says so too.
    twice = (
        Notification.objects.order_by()
        .filter(users.within("recipient"))
        .values_list("recipient_id", "kind", "source")
        .annotate(times=Count("pk"))
        .filter(times__gt=1)
    )
    for recipient, kind, source, times in twice:
        yield f"user {recipient} has {kind} of {source} {times} times"


@invariant(17, "mailed notifications have a delivery", over=Notification)
def check_deliveries(notifications: Batch) -> Iterator[str]:
    # Whether or not it has been sent, until it is purged.
    young = Q(created_at__gt=clock.now() - DELIVERY_RETENTION)
    bare = notifications.rows.filter(young, mailed=True, delivery__isnull=True)
    yield from describe(bare, "notification {} ({}) has no delivery", "kind")


@invariant(17, "nothing is mailed that its recipient switched off", over=EmailDelivery)
def check_unwanted_mail(deliveries: Batch) -> Iterator[str]:
    # When the notification was written.
    unwanted = deliveries.rows.filter(notification__mailed=False)
    yield from describe(unwanted, "delivery {} is of notification {}, which is not to be mailed", "notification_id")


@invariant(17, "fixed kinds are shown and mailed", over=Notification)
def check_fixed_kinds(notifications: Batch) -> Iterator[str]:
    # Those about money and security.
    withheld = notifications.rows.filter(~Q(in_app=True, mailed=True), kind__in=REQUIRED_KINDS)
    yield from describe(withheld, "notification {} ({}) is withheld", "kind")


@invariant(17, "an email is sent, or given up, or waits", over=EmailDelivery)
def check_delivery_states(deliveries: Batch) -> Iterator[str]:
    both = deliveries.rows.filter(sent_at__isnull=False, next_attempt_at__isnull=True)
    yield from describe(both, "delivery {} is both sent and given up")


@invariant(20, "deleted accounts have no notifications", over=User)
def check_erased_accounts(users: Batch) -> Iterator[str]:
    # Deleting an account deletes them.
    kept = Notification.objects.order_by().filter(users.within("recipient")).filter(recipient__in=User.objects.erased())
    yield from describe(kept, "notification {} is kept of user {}, whose account is deleted", "recipient_id")
    chosen = Preference.objects.order_by().filter(users.within("user")).filter(user__in=User.objects.erased())
    yield from describe(chosen, "preference {} is kept of user {}, whose account is deleted", "user_id")


def _source(product: str, seq: str) -> Concat:
    """Return what `services.outbox` names an event's notifications, in the database."""
    return Concat(
        Value("product:"), Cast(product, TextField()), Value(":"), Cast(seq, TextField()), output_field=CharField()
    )


def _user_in(key: str, private: str = "private") -> Case:
    """Return the user id that an event names, or NULL for what is not a number: a check must not fail on bad data."""
    number = Q(**{f"{private}__{key}__regex": r"^[0-9]{1,18}$"})
    return Case(When(number, then=Cast(KeyTextTransform(key, private), BigIntegerField())))


def _bidders_at(kind: AuctionEvent.Kind, products: Batch) -> QuerySet[Bid]:
    """Return the valid bids at the time of a processed event of this kind, with the source of its notifications."""
    processed = _processed(products).filter(kind=kind, product=OuterRef("product"))
    found: QuerySet[Bid] = (
        Bid.objects.made_by_people()
        .valid()
        .order_by()
        .filter(products.within("product"))
        # Repeated for SQLite, which would otherwise read the log of every bid's product.
        .filter(
            product__in=AuctionEvent.objects.order_by().filter(products.within("product"), kind=kind).values("product")
        )
        .filter(product__events__kind=kind)
        .annotate(seq_of_event=F("product__events__seq"))
        .filter(Exists(processed))
        .exclude(bidder__in=User.objects.erased())
        .annotate(source=_source("product_id", "seq_of_event"))
    )
    return found


def _pairs(bids: QuerySet[Bid]) -> Any:
    return bids.values_list("product_id", "bidder_id").distinct().order_by("product_id", "bidder_id")


def _notification(kind: str, recipient: str) -> QuerySet[Notification]:
    """Return the notification of the outer row. Recipient first: the unique index begins with it."""
    found: QuerySet[Notification] = Notification.objects.filter(
        recipient=OuterRef(recipient), kind=kind, source=OuterRef("source")
    )
    return found


def _processed(products: Batch) -> QuerySet[AuctionEvent]:
    """Return the events that no longer wait in the outbox."""
    waiting = EventOutbox.objects.filter(product_id=OuterRef("product_id"), seq=OuterRef("seq"))
    return AuctionEvent.objects.order_by().filter(products.within("product")).filter(~Exists(waiting))


def _missing(events: QuerySet[AuctionEvent], kind: str, recipient: Any) -> Iterator[str]:
    rows = (
        events.annotate(recipient=recipient, source=_source("product_id", "seq"))
        .filter(recipient__isnull=False)
        .filter(~Exists(_notification(kind, "recipient")))
        .filter(~Exists(User.objects.erased().filter(pk=OuterRef("recipient"))))
        .values_list("product_id", "seq", "recipient")
    )
    for product, seq, user in rows:
        yield f"product {product}: no {kind} for event {seq} to user {user}"
