"""Invariants of notifications and emails (16, 17 and 20 of docs/invariants.md)."""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from django.db.models import CharField, Count, Exists, OuterRef, Q, QuerySet, TextField, Value
from django.db.models.functions import Cast, Concat

from accounts.models import User
from auctioncraft.core import clock
from auctioncraft.core.invariants import changed_since, describe, invariant, reader_by_key
from auctions.models import AuctionEvent, Bid, EventOutbox, Product
from notifications.kinds import KINDS, REQUIRED_KINDS
from notifications.models import EmailDelivery, Notification, Preference
from notifications.services.audience import specs_for
from notifications.services.email_delivery import DELIVERY_RETENTION
from notifications.services.outbox import source_of
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


@invariant(16, "users are notified of auction events", over=Product)
def check_event_notifications(products: Batch) -> Iterator[str]:
    """Look for the notifications of each event that no longer waits in the outbox, as services/audience.py lists them.

    Bidders whose bids were all voided were notified of that instead.
    """
    # Each of these reads follows an index; joined, PostgreSQL would have to sort whole events.
    events = (
        AuctionEvent.objects.filter(products.within("product"))
        .order_by("product_id", "seq")
        .select_related("product")
        .only("product_id", "seq", "kind", "data", "private", "product__seller_id", "product__currency")
    )
    outbox = EventOutbox.objects.filter(products.within("product_id")).order_by("product_id")
    waiting_of = reader_by_key(outbox.values_list("product_id", "seq").iterator())
    bids = Bid.objects.made_by_people().valid().filter(products.within("product")).order_by("product_id")
    bidders_of = reader_by_key(bids.values_list("product_id", "bidder_id").iterator())
    rows = Notification.objects.filter(products.within("product")).order_by("product_id")
    written_to = reader_by_key(rows.values_list("product_id", "recipient_id", "kind", "source").iterator())
    missing: list[tuple[int, int, str, int]] = []
    for product, its_events in groupby(events.iterator(), key=attrgetter("product_id")):
        written = {tuple(row) for _, *row in written_to(product)}
        waiting, bidders = ({value for _, value in read(product)} for read in (waiting_of, bidders_of))
        for event in its_events:
            if event.seq in waiting:
                continue
            try:
                specs = list(specs_for(event, bidders))
            except (KeyError, TypeError, ValueError) as error:
                yield f"product {product}: event {event.seq} is malformed: {error!r}"
                continue
            source = source_of(product, event.seq)
            missing += [
                (product, event.seq, spec.kind, user)
                for spec in specs
                for user in sorted(spec.recipients)
                if (user, spec.kind, source) not in written
            ]
    erased = set(User.objects.erased().values_list("pk", flat=True)) if missing else set()
    for product, seq, kind, user in missing:
        if user not in erased:
            yield f"product {product}: no {kind} for event {seq} to user {user}"


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


def _notification(kind: str, recipient: str) -> QuerySet[Notification]:
    """Return the notification of the outer row. Recipient first: the unique index begins with it."""
    found: QuerySet[Notification] = Notification.objects.filter(
        recipient=OuterRef(recipient), kind=kind, source=OuterRef("source")
    )
    return found
