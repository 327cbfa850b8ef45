"""Orders that nobody pays: reminders, then the end (docs/rules.md, After the sale)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.db.models import Q

from accounts.services import standing
from auctioncraft import clock
from auctioncraft.sweeps import one_by_one
from auctions.services import settlement
from auctions.services.locking import lock_auction
from payments import errors, stripe_gateway
from payments.models import Order, OrderEvent, Payment
from payments.services import history, intents
from payments.signals import order_expired, payment_reminded

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models import QuerySet

    from payments.stripe_gateway import Intent

# After the order was opened; the first reminder, the second.
REMINDERS: Final = (timedelta(hours=24), timedelta(hours=48))


def expire_due(*, limit: int = 200) -> int:
    """Let the unpaid orders expire whose time is up, each in its own transaction; return how many. A sweep.

    An expired order counts as a strike on its buyer, and its sale falls through. Sends order_expired.
    """
    due = Order.objects.filter(status=Order.Status.AWAITING_PAYMENT, due_at__lte=clock.now()).order_by("due_at")
    return one_by_one(_expire, list(due.values_list("pk", "product_id")[:limit]))


def _expire(order_id: int, product_id: int) -> bool:
    with transaction.atomic():
        auction = lock_auction(product_id, skip_locked=True)
        if auction is None:
            return False
        order, now = Order.objects.locked(order_id), clock.now()
        if order.status != Order.Status.AWAITING_PAYMENT or now < order.due_at:
            return False
        order.status, order.expired_at = Order.Status.EXPIRED, now
        order.save(update_fields=("status", "expired_at"))
        history.record(order=order, kind=OrderEvent.Kind.EXPIRED, at=now)
        settlement.fall_through(auction=auction, at=now)
        standing.add_strike(user_id=order.buyer_id)
        order_expired.send(sender=Order, order=order)
    return True


def remind_due(*, limit: int = 200) -> int:
    """Remind the buyers of unpaid orders, 24 and 48 hours after they were opened; return how many. A sweep.

    Whoever was out of reach of a worker for longer is reminded once, not twice at a time. Sends payment_reminded.
    """
    now = clock.now()
    return one_by_one(_remind, list(_to_remind(now).values_list("pk")[:limit]))


def _remind(order_id: int) -> bool:
    with transaction.atomic():
        found = Order.objects.filter(pk=order_id).select_for_update(no_key=True, skip_locked=True).exists()
        order, now = Order.objects.with_parties().get(pk=order_id), clock.now()
        if not found or not _to_remind(now).filter(pk=order_id).exists():
            return False
        order.reminders = sum(now >= order.created_at + after for after in REMINDERS)
        order.save(update_fields=("reminders",))
        history.record(order=order, kind=OrderEvent.Kind.REMINDED, at=now)
        payment_reminded.send(sender=Order, order=order)
    return True


def _to_remind(now: datetime) -> QuerySet[Order]:
    late = Q()
    for count, after in enumerate(REMINDERS):
        late |= Q(reminders=count, created_at__lte=now - after)
    orders: QuerySet[Order] = Order.objects.filter(late, status=Order.Status.AWAITING_PAYMENT, due_at__gt=now)
    return orders


def cancel_leftovers(*, limit: int = 50) -> int:
    """Cancel at Stripe what could still be paid for orders that cannot take it any more; return how many. A sweep.

    Stripe is asked outside any transaction. Should the money have come in meanwhile, Stripe refuses, and it is kept as
    surplus, to be refunded.
    """
    left = Payment.objects.live().exclude(order__status=Order.Status.AWAITING_PAYMENT).order_by("pk")
    return one_by_one(_cancel, [(payment,) for payment in left[:limit]])


def _cancel(payment: Payment) -> bool:
    try:
        intent = _canceled_intent(payment)
    except errors.StripeUnavailable:
        return False
    with transaction.atomic(durable=True):
        order, payment = intents.lock(payment_id=payment.pk, intent=intent)
        if not payment.is_live:
            return False
        if intent is not None:
            intents.apply(order=order, payment=payment, intent=intent)
        else:
            payment.status = Payment.Status.CANCELED
            payment.save(update_fields=("status",))
    return not payment.is_live


def _canceled_intent(payment: Payment) -> Intent | None:
    """Return the payment's intent, canceled, or as it is if that is too late; None if Stripe has none of that id."""
    if payment.intent_id is None:  # never answered: nobody has its client secret, so nobody can pay it
        return None
    try:
        return stripe_gateway.cancel_intent(payment.intent_id)
    except errors.NotAtStripe:
        return None
    except errors.PaymentRefused:
        return stripe_gateway.retrieve_intent(payment.intent_id)
