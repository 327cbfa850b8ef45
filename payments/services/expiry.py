"""Orders that nobody pays: reminders, then the end (docs/rules.md, After the sale)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from accounts.services import bidder_status
from auctioncraft.core import clock
from auctioncraft.core.jobs import process_each
from auctions.services import sale_outcome
from auctions.services.locking import lock_auction
from payments import errors, stripe_gateway
from payments.models import Order, OrderEvent, Payment
from payments.services import order_log, payment_sync
from payments.signals import order_expired, payment_reminded

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models import QuerySet

    from payments.stripe_gateway import Intent

# After the order was opened; the first reminder, the second.
REMINDER_DELAYS: Final = (timedelta(hours=24), timedelta(hours=48))
# So long past its due time an order waits for a payment that is on its way. Bank debits take 7 to 8 business days on
# the average, the slowest 14: one that was begun at the last moment and comes later still is surplus.
# https://docs.stripe.com/payments/sepa-debit
PROCESSING_GRACE: Final = timedelta(days=14)
# And so long at most, should Stripe be away as well.
MAX_WAIT: Final = PROCESSING_GRACE + timedelta(days=1)
# Stripe tells us when a payment ends; this is for when its event is lost.
_ASK_AGAIN: Final = timedelta(hours=1)


def expire_due(*, limit: int = 200, asking: int = 50) -> int:
    """Let the unpaid orders expire whose time is up, each in its own transaction; return how many. A sweep.

    Of those with a PaymentIntent, at most `asking`, Stripe is asked first, outside any transaction: what may still be
    paid is canceled there, and money that came in unheard of pays its order. A payment on its way is waited for, for
    PROCESSING_GRACE, and so is Stripe, for MAX_WAIT. An expired order counts as a strike on its buyer, unless no
    card could pay it, and its sale falls through. Sends order_expired.
    """
    now = clock.now()
    due = Order.objects.filter(status=Order.Status.AWAITING_PAYMENT, due_at__lte=now).order_by("due_at")
    at_stripe = Payment.objects.live().filter(stripe_intent_id__isnull=False)
    waits = Q(Exists(at_stripe.filter(order_id=OuterRef("pk"))), due_at__gt=now - MAX_WAIT)
    # These first: they need not wait for Stripe.
    done = process_each(_expire, list(due.exclude(waits).values_list("pk", "product_id")[:limit]))
    payments = at_stripe.filter(_cancel_due(now), order__in=due.filter(waits).order_by()).select_related("order")
    rows = [(payment,) for payment in payments.order_by("order__due_at")[:asking]]
    return done + process_each(_ask_and_expire, rows, until=errors.StripeUnavailable)


def _ask_and_expire(payment: Payment) -> bool:
    """Expire the order of a live payment once Stripe has said that nothing more will come of it."""
    intent = _end_intent(payment)
    return _expire(payment.order_id, payment.order.product_id, payment.pk, intent)


def _expire(order_id: int, product_id: int, payment_id: int | None = None, intent: Intent | None = None) -> bool:
    """Expire an order unless it has been paid or may still be; `intent` is what Stripe has just said of its payment."""
    with transaction.atomic(durable=True):
        auction = lock_auction(product_id, skip_locked=True)
        if auction is None:
            return False
        order, now = Order.objects.locked(order_id), clock.now()
        if payment_id is not None:
            _sync_payment(order, Payment.objects.locked(payment_id), intent)
        if order.status != Order.Status.AWAITING_PAYMENT or now < order.due_at:
            return False
        # Nobody can pay what Stripe never answered to: nobody has its client secret.
        order.payments.live().filter(stripe_intent_id__isnull=True).update(status=Payment.Status.CANCELED)
        # It is on its way, or was opened while we asked.
        if order.payments.live().exists() and now < order.due_at + PROCESSING_GRACE:
            return False
        order.status, order.expired_at = Order.Status.EXPIRED, now
        order.save(update_fields=("status", "expired_at"))
        payable = _is_payable(order)
        order_log.record(
            order=order,
            kind=OrderEvent.Kind.EXPIRED,
            at=now,
            reason="unpaid" if payable else errors.AmountNotChargeable.code,
        )
        sale_outcome.record_payment_default(auction=auction, at=now)
        if payable:
            bidder_status.add_strike(user_id=order.buyer_id)
        order_expired.send(sender=Order, order=order, payable=payable)
    return True


def _is_payable(order: Order) -> bool:
    """Whether a card could pay it: nobody is struck for what they had no way to pay.

    Not so of what Stripe has refused to open a payment for, whenever they tried.
    """
    if not stripe_gateway.can_charge(amount=order.total, currency=order.currency):
        return False
    opened = Q(stripe_intent_id__isnull=False)
    return order.payments.filter(opened).exists() or not order.payments.exclude(opened | Q(last_error="")).exists()


def _cancel_due(now: datetime) -> Q:
    """Return what picks the live payments that Stripe is to be asked about: those it let us not cancel wait a while."""
    return Q(cancel_tried_at__isnull=True) | Q(cancel_tried_at__lte=now - _ASK_AGAIN)


def remind_due(*, limit: int = 200) -> int:
    """Remind the buyers of unpaid orders, 24 and 48 hours after they were opened; return how many. A sweep.

    Whoever was out of reach of a worker for longer is reminded once, not twice at a time. Sends payment_reminded.
    """
    now = clock.now()
    return process_each(_remind, list(_to_remind(now).values_list("pk")[:limit]))


def _remind(order_id: int) -> bool:
    with transaction.atomic():
        found = Order.objects.filter(pk=order_id).select_for_update(no_key=True, skip_locked=True).exists()
        order, now = Order.objects.with_parties().get(pk=order_id), clock.now()
        if not found or not _to_remind(now).filter(pk=order_id).exists():
            return False
        order.reminders_sent = sum(now >= order.created_at + after for after in REMINDER_DELAYS)
        order.save(update_fields=("reminders_sent",))
        order_log.record(order=order, kind=OrderEvent.Kind.REMINDED, at=now)
        payment_reminded.send(sender=Order, order=order, payable=_is_payable(order))
    return True


def _to_remind(now: datetime) -> QuerySet[Order]:
    late = Q()
    for count, after in enumerate(REMINDER_DELAYS):
        late |= Q(reminders_sent=count, created_at__lte=now - after)
    orders: QuerySet[Order] = Order.objects.filter(late, status=Order.Status.AWAITING_PAYMENT, due_at__gt=now)
    return orders


def cancel_stale_intents(*, limit: int = 50) -> int:
    """Cancel at Stripe what could still be paid for orders that cannot take it any more; return how many. A sweep.

    Stripe is asked outside any transaction. Should the money have come in meanwhile, Stripe refuses, and it is kept as
    surplus, to be refunded.
    """
    left = Payment.objects.live().filter(_cancel_due(clock.now())).exclude(order__status=Order.Status.AWAITING_PAYMENT)
    rows = [(payment,) for payment in left.order_by("pk")[:limit]]
    return process_each(_cancel, rows, until=errors.StripeUnavailable)


def _cancel(payment: Payment) -> bool:
    intent = _cancel_intent(payment)
    with transaction.atomic(durable=True):
        order, payment = payment_sync.lock(payment_id=payment.pk, intent=intent)
        if not payment.is_live:
            return False
        _sync_payment(order, payment, intent)
    return not payment.is_live


def _sync_payment(order: Order, payment: Payment, intent: Intent | None) -> None:
    """Write down what Stripe has just said of a locked payment; without an intent there is nothing to pay."""
    if not payment.is_live:
        return
    if intent is not None:
        payment_sync.apply(order=order, payment=payment, intent=intent)
        payment.cancel_tried_at = clock.now() if payment.is_live else None
    else:
        payment.status = Payment.Status.CANCELED
    payment.save(update_fields=("status", "cancel_tried_at"))


def _end_intent(payment: Payment) -> Intent | None:
    """Return the payment's intent, canceled unless money has come or is on its way; None if Stripe has none."""
    try:
        intent = stripe_gateway.retrieve_intent(str(payment.stripe_intent_id))
    except errors.StripeObjectMissing:
        return None
    # Stripe may cancel what is `processing`, in rare cases; whoever has paid, if slowly, need not fear that from us.
    return _cancel_intent(payment) if intent.status.startswith("requires_") else intent


def _cancel_intent(payment: Payment) -> Intent | None:
    """Return the payment's intent, canceled, or as it is if that is too late; None if Stripe has none of that id."""
    if payment.stripe_intent_id is None:  # never answered: nobody has its client secret, so nobody can pay it
        return None
    try:
        return stripe_gateway.cancel_intent(payment.stripe_intent_id)
    except errors.StripeObjectMissing:
        return None
    except errors.PaymentRefused:
        return stripe_gateway.retrieve_intent(payment.stripe_intent_id)
