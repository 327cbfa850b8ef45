"""Unpaid orders: reminders, then expiry (docs/rules.md, After the sale)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from accounts.services import bidder_status
from auctioncraft.core import card_amounts, clock, retry
from auctions.services import sale_outcome
from auctions.services.locking import lock_auction, lock_or_404
from payments import errors, stripe_gateway
from payments.models import Order, OrderEvent, Payment, SellerHold
from payments.services import order_log, payment_sync, sellers
from payments.signals import order_expired, payment_reminded

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models import QuerySet

    from auctions.models import Auction
    from payments.stripe_gateway import Intent

# After the order was opened; the first reminder, the second.
REMINDER_DELAYS: Final = (timedelta(hours=24), timedelta(hours=48))
# So long past its due time an order waits for a payment that is on its way. Bank debits take 7 to 8 business days on
# the average, the slowest 14: one that was begun at the last moment and comes later still is surplus.
# https://docs.stripe.com/payments/sepa-debit
PROCESSING_GRACE: Final = timedelta(days=14)
# And so long at most, should Stripe be away as well.
MAX_WAIT: Final = PROCESSING_GRACE + timedelta(days=1)
# The reason, in an order's log, of one that was withdrawn.
ACCOUNT_ENDED: Final = "account_ended"
# Stripe sends an event when a payment ends; this is for when that event is lost.
_ASK_AGAIN: Final = timedelta(hours=1)
# The auction's row was locked, or a payment was opened meanwhile.
_SOON: Final = timedelta(seconds=1)
# Why an order expired without a strike: the seller's account at Stripe could not take the payment.
SELLER_UNABLE: Final = "seller_unable"
# No order is given up.
POLICY: Final = retry.RetryPolicy(longest_delay=timedelta(minutes=5), max_attempts=10**9, stop_on=(errors.StripeDown,))


def expire_due() -> int:
    """Expire the unpaid orders whose time to pay is over; return how many expired or were paid. A job.

    If Stripe has a live PaymentIntent for the order, Stripe is asked first, outside any transaction: what may still be
    paid is canceled there, and money that came in unnoticed pays the order. A payment that is processing has
    PROCESSING_GRACE to end, and Stripe has MAX_WAIT to answer. An expired order is a strike for its buyer, unless no
    card could pay it, and its sale falls through. Sends order_expired.
    """
    now = clock.now()
    due = Order.objects.filter(status=Order.Status.AWAITING_PAYMENT, due_at__lte=now)
    at_stripe = Payment.objects.live().filter(stripe_intent_id__isnull=False)
    waiting = Q(Exists(at_stripe.filter(order_id=OuterRef("pk"))), due_at__gt=now - MAX_WAIT)
    # Those without a PaymentIntent first: they need not wait for Stripe.
    done = retry.process_due(due.exclude(waiting), _expire, policy=POLICY)
    payments = at_stripe.filter(order__in=due.filter(waiting).order_by())
    return done + retry.process_due(payments, _ask_and_expire, policy=POLICY)


def _ask_and_expire(payment: Payment) -> None:
    """Expire the order of a live payment once Stripe has said that no more money will come."""
    intent = _end_intent(payment)
    # A seller's account that can take nothing: the buyer could not pay, unless they tried once more.
    could_pay = sellers.can_take(destination=payment.destination)
    if not _expire_unless_payable(Order.objects.get(pk=payment.order_id), payment, intent, could_pay=could_pay):
        raise retry.RetryLater(_ASK_AGAIN)


def _expire(order: Order) -> None:
    if not _expire_unless_payable(order):
        raise retry.RetryLater(_SOON)


@transaction.atomic(durable=True)
def _expire_unless_payable(
    order: Order, payment: Payment | None = None, intent: Intent | None = None, *, could_pay: bool = True
) -> bool:
    """Expire an order; return whether it has expired or was paid. `intent` is what Stripe has just said of `payment`.

    `could_pay`: whether the seller's account could take that payment; else there is no strike.
    Raises RetryLater if another transaction has the auction's row: nothing is recorded then.
    """
    auction = lock_auction(order.product_id, skip_locked=True)
    if auction is None:
        raise retry.RetryLater(_SOON)
    order, now = Order.objects.locked(order.pk), clock.now()
    if payment is not None:
        _sync_payment(order, Payment.objects.locked(payment.pk), intent)
    if order.status != Order.Status.AWAITING_PAYMENT:
        return True
    if now < order.due_at:
        return False
    # A payment without an intent cannot be paid: its client secret is unknown.
    order.payments.live().filter(stripe_intent_id__isnull=True).update(status=Payment.Status.CANCELED)
    # It is processing, or was opened while we asked.
    if order.payments.live().exists() and now < order.due_at + PROCESSING_GRACE:
        return False
    payable = could_pay and _is_payable(order)
    reason = "unpaid" if payable else errors.AmountNotChargeable.code if could_pay else SELLER_UNABLE
    _record_expiry(auction, order, now, reason=reason)
    if payable:
        bidder_status.add_strike(user_id=order.buyer_id)
    order_expired.send(sender=Order, order=order, payable=payable, withdrawn=False)
    return True


def withdraw_order(*, order_id: int) -> None:
    """Expire an unpaid order at once, without a strike, because its buyer's or seller's account has ended.

    `cancel_stale_intents` cancels at Stripe what may still be paid; money that comes in meanwhile is surplus, to be
    refunded. Sends order_expired.
    """
    with transaction.atomic(durable=True):
        auction, now = lock_or_404(Order.objects.values_list("product_id", flat=True).get(pk=order_id))
        order = Order.objects.locked(order_id)
        if order.status != Order.Status.AWAITING_PAYMENT:
            return
        order.payments.live().filter(stripe_intent_id__isnull=True).update(status=Payment.Status.CANCELED)
        _record_expiry(auction, order, now, reason=ACCOUNT_ENDED)
        order_expired.send(sender=Order, order=order, payable=False, withdrawn=True)


def _record_expiry(auction: Auction, order: Order, now: datetime, *, reason: str) -> None:
    order.status, order.expired_at = Order.Status.EXPIRED, now
    order.save(update_fields=("status", "expired_at"))
    bidder_status.remove_unpaid_order(user_id=order.buyer_id)
    order_log.record(order=order, kind=OrderEvent.Kind.EXPIRED, at=now, reason=reason)
    sale_outcome.record_payment_default(auction=auction, at=now)


def _is_payable(order: Order) -> bool:
    """Whether a card could pay it: there is no strike for what could not be paid.

    Not so of what Stripe has refused to open a payment for, whenever they tried.
    """
    if not card_amounts.can_charge(amount=order.total, currency=order.currency):
        return False
    opened = Q(stripe_intent_id__isnull=False)
    return order.payments.filter(opened).exists() or not order.payments.exclude(opened | Q(decline_code="")).exists()


def remind_due() -> int:
    """Remind the buyers of unpaid orders, 24 and 48 hours after they were opened; return how many. A job.

    If no worker was up for longer, buyers are reminded once, not twice. Sends payment_reminded.
    """
    return retry.process_due(_to_remind(clock.now()), _remind, policy=POLICY)


@transaction.atomic(durable=True)
def _remind(order: Order) -> None:
    order, now = Order.objects.locked(order.pk), clock.now()
    if not _to_remind(now).filter(pk=order.pk).exists():
        return
    order.reminders_sent = sum(now >= order.created_at + after for after in REMINDER_DELAYS)
    order.save(update_fields=("reminders_sent",))
    order_log.record(order=order, kind=OrderEvent.Kind.REMINDED, at=now)
    payment_reminded.send(sender=Order, order=order, payable=_is_payable(order))


def _to_remind(now: datetime) -> QuerySet[Order]:
    late = Q()
    for count, after in enumerate(REMINDER_DELAYS):
        late |= Q(reminders_sent=count, created_at__lte=now - after)
    orders: QuerySet[Order] = Order.objects.filter(late, status=Order.Status.AWAITING_PAYMENT, due_at__gt=now)
    return orders


def cancel_stale_intents() -> int:
    """Cancel at Stripe what is not to be paid any more; return how many. A job.

    That is what could still be paid for orders that cannot be, and what would reach a seller who is held: its buyer
    pays us instead. Stripe is asked outside any transaction. If the money has come in meanwhile, Stripe refuses, and it
    is recorded, as surplus, to be refunded, if its order cannot take it.
    """
    return retry.process_due(_stale(), _cancel, policy=POLICY)


def cancel_now(**of: int) -> None:
    """Do this at once for the payments of an order (`order_id`) or to a seller (`seller_id`); the job does the rest."""
    field = {"seller_id": "order__seller_id"}.get(next(iter(of)), "order_id")
    stale = _stale().filter(**{field: next(iter(of.values()))})
    for pk in list(stale.order_by("pk").values_list("pk", flat=True)):
        try:
            retry.attempt_now(stale, pk, _cancel, policy=POLICY)
        except errors.StripeDown:
            return
        except (errors.StripeUnavailable, retry.RetryLater):
            continue


def _stale() -> QuerySet[Payment]:
    held = Exists(SellerHold.objects.filter(seller_id=OuterRef("order__seller_id"), released_at__isnull=True))
    to_held = Q(held) & ~Q(destination="")
    stale: QuerySet[Payment] = Payment.objects.live().filter(~Q(order__status=Order.Status.AWAITING_PAYMENT) | to_held)
    return stale


def _cancel(payment: Payment) -> None:
    awaited = payment.order.status == Order.Status.AWAITING_PAYMENT
    intent = _end_intent(payment) if awaited and payment.stripe_intent_id else _cancel_intent(payment)
    with transaction.atomic(durable=True):
        order, payment = payment_sync.lock(payment_id=payment.pk, intent=intent)
        _sync_payment(order, payment, intent)
    if payment.is_live:
        raise retry.RetryLater(_ASK_AGAIN)


def _sync_payment(order: Order, payment: Payment, intent: Intent | None) -> None:
    """Record what Stripe has just said of a locked payment; without an intent there is nothing to pay."""
    if not payment.is_live:
        return
    if intent is not None:
        payment_sync.apply(order=order, payment=payment, intent=intent)
    else:
        payment.status = Payment.Status.CANCELED
        payment.save(update_fields=("status",))


def _end_intent(payment: Payment) -> Intent | None:
    """Return the payment's intent, canceled unless money has come or is on its way; None if Stripe has none."""
    try:
        intent = stripe_gateway.retrieve_intent(str(payment.stripe_intent_id))
    except errors.StripeObjectMissing:
        return None
    # Stripe could cancel what is `processing`; we never do, because the buyer has paid, if slowly.
    return _cancel_intent(payment) if intent.status.startswith("requires_") else intent


def _cancel_intent(payment: Payment) -> Intent | None:
    """Return the payment's intent, canceled, or as it is if that is too late; None if Stripe has none of that id."""
    if payment.stripe_intent_id is None:  # without its client secret it cannot be paid
        return None
    try:
        return stripe_gateway.cancel_intent(payment.stripe_intent_id)
    except errors.StripeObjectMissing:
        return None
    except errors.PaymentRefused:
        return stripe_gateway.retrieve_intent(payment.stripe_intent_id)
