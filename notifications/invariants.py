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

from accounts.erased import erased
from accounts.models import User
from auctions.models import AuctionEvent, Bid, EventOutbox
from notifications.kinds import FIXED, KINDS
from notifications.models import EmailDelivery, Notification, Preference
from payments.models import Order, Refund

if TYPE_CHECKING:
    from collections.abc import Callable


def sold_without_notice() -> list[str]:
    """Every sale that was dealt with has told its winner and its seller: by the hammer or otherwise."""
    later = Q(kind__in=(AuctionEvent.Kind.RESERVE_WAIVED, AuctionEvent.Kind.SECOND_CHANCE_ACCEPTED))
    sold = _dealt_with().filter(Q(kind=AuctionEvent.Kind.CLOSED, data__result="sold") | later)
    return _missing(sold, "auction_won", _user_in("winner")) + _missing(sold, "auction_sold", F("product__seller_id"))


def unsold_without_notice() -> list[str]:
    """Every auction that ended without a sale and was dealt with has told its seller."""
    closed = _dealt_with().filter(kind=AuctionEvent.Kind.CLOSED)
    unsold = closed.filter(Q(data__result="reserve_not_met") | Q(data__result="no_bids"))
    return _missing(unsold, "auction_unsold", F("product__seller_id"))


def lost_without_notice() -> list[str]:
    """Every bidder of an auction that closed and was dealt with, but its winner then, was told.

    Not those whose bids were all voided: they were told of that.
    """
    losers = _bidders_at(AuctionEvent.Kind.CLOSED).annotate(winner=_user_in("winner", "product__events__private"))
    lost = Q(winner__isnull=True) | ~Q(winner=F("bidder"))
    untold = losers.filter(lost).filter(~Exists(_notice("auction_lost", "bidder_id")))
    return [f"user {bidder} lost product {product} and was not told" for product, bidder in _pairs(untold)]


def cancelled_without_notice() -> list[str]:
    """Every auction that was called off and was dealt with has told its seller and everybody who had bid."""
    cancelled = _dealt_with().filter(kind=AuctionEvent.Kind.CANCELLED)
    untold = _bidders_at(AuctionEvent.Kind.CANCELLED).filter(~Exists(_notice("auction_cancelled", "bidder_id")))
    return _missing(cancelled, "auction_cancelled", F("product__seller_id")) + [
        f"user {bidder} bid on product {product}, it was cancelled and they were not told"
        for product, bidder in _pairs(untold)
    ]


def voided_without_notice() -> list[str]:
    """Every void that was dealt with has told whose bid it was, who leads, who led before, and the seller."""
    voided = _dealt_with().filter(kind=AuctionEvent.Kind.BID_VOIDED)
    lines = _missing(voided, "bid_voided", F("product__seller_id"))
    for who in ("bidder", "leader", "former_leader"):
        lines += _missing(voided, "bid_voided", _user_in(who))
    return list(dict.fromkeys(lines))


def offered_without_notice() -> list[str]:
    """Every second chance that was dealt with has told its bidder; that it ended without a sale, the seller."""
    offered = _dealt_with().filter(kind=AuctionEvent.Kind.SECOND_CHANCE_OFFERED)
    ended = (AuctionEvent.Kind.SECOND_CHANCE_DECLINED, AuctionEvent.Kind.SECOND_CHANCE_LAPSED)
    return _missing(offered, "second_chance_offer", _user_in("bidder")) + _missing(
        _dealt_with().filter(kind__in=ended), "second_chance_ended", F("product__seller_id")
    )


def orders_without_notice() -> list[str]:
    """Every order has told, in the transaction that changed it, what is due, that it is paid, that it expired."""
    return [
        line
        for kind, what, status, parties in (
            ("payment_due", "opened", None, ("buyer_id",)),
            ("payment_succeeded", "paid", Order.Status.PAID, ("buyer_id", "seller_id")),
            ("payment_expired", "expired", Order.Status.EXPIRED, ("buyer_id", "seller_id")),
        )
        for party in parties
        for line in _untold_orders(kind, what, status, party)
    ]


def _untold_orders(kind: str, what: str, status: str | None, party: str) -> list[str]:
    name = Concat(Value("order:"), Cast("pk", TextField()), Value(f":{what}"), output_field=CharField())
    orders = Order.objects.filter(status=status) if status else Order.objects.all()
    untold = (
        orders.annotate(source=name).filter(~Exists(_notice(kind, party))).exclude(erased(party[:-3])).order_by("pk")
    )
    return [f"order {pk}: no {kind} to user {user}" for pk, user in untold.values_list("pk", party)]


def refunds_without_notice() -> list[str]:
    """Every refund that has gone through has told its buyer, in that transaction."""
    order = Cast("payment__order_id", TextField())
    name = Concat(
        *(Value("order:"), order, Value(":refund:"), Cast("pk", TextField())),
        output_field=CharField(),
    )
    went = Refund.objects.order_by("pk").filter(status=Refund.Status.SUCCEEDED).annotate(source=name)
    untold = went.filter(~Exists(_notice("refund_issued", "payment__order__buyer_id")))
    rows = untold.exclude(erased("payment__order__buyer")).values_list("pk", "payment__order__buyer_id")
    return [f"refund {pk}: no refund_issued to user {user}" for pk, user in rows]


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
    """Every notice that its recipient wanted by mail has its delivery."""
    bare = Notification.objects.order_by().filter(mailed=True, delivery__isnull=True)
    return [f"notification {row.pk} ({row.kind}) has no delivery" for row in bare.only("pk", "kind")]


def mailed_unasked() -> list[str]:
    """No notice goes out by mail that its recipient did not want so."""
    unwanted = EmailDelivery.objects.order_by().filter(notification__mailed=False).only("pk", "notification_id")
    return [f"delivery {row.pk} is of notification {row.notification_id}, which is not mailed" for row in unwanted]


def withheld() -> list[str]:
    """Every notice of a kind that cannot be switched off is shown, and mailed."""
    kept_back = Notification.objects.order_by().filter(~Q(in_app=True, mailed=True), kind__in=FIXED)
    return [f"notification {row.pk} ({row.kind}) is withheld" for row in kept_back.only("pk", "kind")]


def erased_with_notices() -> list[str]:
    """Nothing that somebody was told, or chose to be told, is kept once their account is erased."""
    kept = Notification.objects.order_by().filter(erased("recipient")).only("pk", "recipient_id")
    chosen = Preference.objects.order_by().filter(erased("user")).only("pk", "user_id")
    return [f"notification {row.pk} is kept of user {row.recipient_id}, who is erased" for row in kept] + [
        f"preference {row.pk} is kept of user {row.user_id}, who is erased" for row in chosen
    ]


def kinds_unknown() -> list[str]:
    """Every notice is of a kind that is registered."""
    unknown = Notification.objects.order_by().exclude(kind__in=KINDS).only("pk", "kind")
    return [f"notification {row.pk} is of unknown kind {row.kind}" for row in unknown]


def deliveries_sent_and_given_up() -> list[str]:
    """Every mail went out, or was given up, or waits."""
    both = EmailDelivery.objects.filter(sent_at__isnull=False, given_up_at__isnull=False).only("pk")
    return [f"delivery {row.pk} is both sent and given up" for row in both]


CHECKS: Final[dict[str, Callable[[], list[str]]]] = {
    "16 every sale has told its winner and its seller": sold_without_notice,
    "16 every auction without a sale has told its seller": unsold_without_notice,
    "16 every loser was told": lost_without_notice,
    "16 everybody who was outbid was told": outbid_without_notice,
    "16 everybody concerned by a cancellation was told": cancelled_without_notice,
    "16 everybody concerned by a void was told": voided_without_notice,
    "16 everybody concerned by a second chance was told": offered_without_notice,
    "16 everybody concerned by an order was told": orders_without_notice,
    "16 everybody to whom money went back was told": refunds_without_notice,
    "16 what waits to be told is in the log": outbox_without_event,
    "16 every notice is of a known kind": kinds_unknown,
    "17 nobody has a notice twice": notices_twice,
    "17 every mailed notice has its delivery": mailed_without_delivery,
    "17 nobody is mailed what they switched off": mailed_unasked,
    "17 what concerns money and security is shown and mailed": withheld,
    "17 a mail is sent, or given up, or waits": deliveries_sent_and_given_up,
    "20 nobody who was erased has notices": erased_with_notices,
}


def _source(product: str, seq: str) -> Concat:
    """As services.events.source_of, in the database."""
    return Concat(
        Value("product:"), Cast(product, TextField()), Value(":"), Cast(seq, TextField()), output_field=CharField()
    )


def _user_in(key: str, private: str = "private") -> Case:
    """Return the user id that an event names; none where it is not a number: a check must not fail on what it finds."""
    number = Q(**{f"{private}__{key}__regex": r"^[0-9]{1,18}$"})
    return Case(When(number, then=Cast(KeyTextTransform(key, private), BigIntegerField())))


def _bidders_at(kind: AuctionEvent.Kind) -> QuerySet[Bid]:
    """Return the bids that stood when an event of this kind was dealt with, with the name of its notices."""
    dealt_with = _dealt_with().filter(kind=kind, product=OuterRef("product"))
    found: QuerySet[Bid] = (
        Bid.objects.made_by_people()
        .valid()
        .order_by()
        # Said twice, for SQLite: it would look through the log of every bid's product.
        .filter(product__in=AuctionEvent.objects.order_by().filter(kind=kind).values("product"))
        .filter(product__events__kind=kind)
        .annotate(seq_of_event=F("product__events__seq"))
        .filter(Exists(dealt_with))
        .exclude(erased("bidder"))
        .annotate(source=_source("product_id", "seq_of_event"))
    )
    return found


def _pairs(bids: QuerySet[Bid]) -> Any:
    return bids.values_list("product_id", "bidder_id").distinct().order_by("product_id", "bidder_id")


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
        .filter(~Exists(User.objects.filter(erased(), pk=OuterRef("recipient"))))
        .values_list("product_id", "seq", "recipient")
    )
    return [f"event {seq} of product {product}: no {kind} to user {user}" for product, seq, user in rows]
