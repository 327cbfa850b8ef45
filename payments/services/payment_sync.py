"""What the state of a PaymentIntent means for our rows: the one place where money that arrived is believed."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auctioncraft.core import clock, money
from auctions.models import Auction
from payments import errors, stripe_gateway
from payments.models import Order, OrderEvent, Payment
from payments.services import holds, order_log, orders
from payments.signals import payment_failed

if TYPE_CHECKING:
    from payments.models import StripeEvent
    from payments.stripe_gateway import Intent

logger = logging.getLogger(__name__)


def lock(*, payment_id: int, intent: Intent | None) -> tuple[Order, Payment]:
    """Lock and return an order and its payment, in the one order: (StripeEvent,) Auction, Order, Payment.

    The auction only where money has come in, for paying an order settles its auction.
    """
    order_id, product_id = Payment.objects.values_list("order_id", "order__product_id").get(pk=payment_id)
    if intent is not None and intent.status == "succeeded":
        Auction.objects.select_for_update(no_key=True).only("pk").get(pk=product_id)
    return Order.objects.locked(order_id), Payment.objects.locked(payment_id)


def apply(*, order: Order, payment: Payment, intent: Intent) -> str:
    """Bring a locked order and payment (see `lock`) forward to what Stripe says of the intent; never back.

    `intent` was retrieved from Stripe just now, or has succeeded, which is final: so it does not matter which event of
    it made us look, or in which order they came. Returns a flag for staff, or nothing. https://docs.stripe.com/payments/paymentintents/lifecycle
    """
    if intent.livemode != stripe_gateway.is_live_mode():
        return "wrong_mode"
    if intent.status == "succeeded":
        return _record_money(order, payment, intent)
    if not payment.is_live:
        return ""
    payment.decline_code = intent.last_error_code
    if intent.status == "canceled":
        payment.status = Payment.Status.CANCELED
    payment.save(update_fields=("status", "decline_code"))
    return ""


@dataclass(frozen=True, slots=True)
class FetchedIntent:
    """An event's intent as it is now; `declined`: its buyer is to be notified of a decline."""

    intent: Intent
    declined: bool


def read_event(event: StripeEvent) -> FetchedIntent | None:
    """Return the intent of an event as it is now; None if it is not ours, or Stripe does not know it any more.

    Events may come in any order, so the intent is read again from Stripe; only `succeeded` is final.
    """
    intent_id = stripe_gateway.object_id(event.payload, "payment_intent")
    if not Payment.objects.filter(stripe_intent_id=intent_id).exists():
        return None
    if event.type == "payment_intent.succeeded":
        return FetchedIntent(stripe_gateway.intent_from_success_event(event.payload), declined=False)
    try:
        intent = stripe_gateway.retrieve_intent(intent_id)
    except errors.StripeObjectMissing:
        return None
    declined = event.type == "payment_intent.payment_failed" and intent.status == "requires_payment_method"
    return FetchedIntent(intent, declined=declined and event.processed_at is None)


def fetch_if_unconfirmed(*, intent_id: str) -> Intent | None:
    """Return a payment's intent if its success is not recorded yet: refunds and disputes need it.

    Raises StripeObjectMissing, StripeUnavailable.
    """
    if Payment.objects.filter(stripe_intent_id=intent_id, received__isnull=False).exists():
        return None
    return stripe_gateway.retrieve_intent(intent_id)


def apply_event(found: FetchedIntent) -> str:
    """Sync the payment of an intent, and notify its buyer of a decline. Returns a flag for staff, or ""."""
    payment_id = Payment.objects.values_list("pk", flat=True).get(stripe_intent_id=found.intent.id)
    order, payment = lock(payment_id=payment_id, intent=found.intent)
    flag = apply(order=order, payment=payment, intent=found.intent)
    if found.declined and order.status == Order.Status.AWAITING_PAYMENT:
        order_log.record(
            order=order,
            kind=OrderEvent.Kind.PAYMENT_FAILED,
            at=clock.now(),
            role=OrderEvent.Role.STRIPE,
            reason=payment.decline_code,
        )
        payment_failed.send(sender=Order, order=order)
    return flag


def _record_money(order: Order, payment: Payment, intent: Intent) -> str:
    """Pay the order; or keep as surplus, to be refunded, what it cannot take."""
    if payment.status == Payment.Status.SUCCEEDED:
        return ""
    if payment.status == Payment.Status.SURPLUS:
        return "surplus"
    problem = _find_mismatch(order, intent)
    payment.status = Payment.Status.SURPLUS if problem else Payment.Status.SUCCEEDED
    payment.succeeded_at = clock.now()
    payment.received = stripe_gateway.from_minor_units(intent.received_minor, intent.currency)
    payment.received_currency = intent.currency
    payment.decline_code = ""
    payment.save(update_fields=("status", "succeeded_at", "received", "received_currency", "decline_code"))
    if problem:
        logger.warning("money that order %s cannot take (%s): %s", order.pk, problem, intent.id)
        came = money.to_text(payment.received, payment.received_currency)
        order_log.record(
            order=order,
            kind=OrderEvent.Kind.SURPLUS,
            at=payment.succeeded_at,
            role=OrderEvent.Role.STRIPE,
            amount=came,
            currency=payment.received_currency,
            reason=problem,
        )
    else:
        orders.mark_paid(order=order, payment=payment, at=payment.succeeded_at)
        if payment.destination and holds.lock_and_check(seller_id=order.seller_id):
            # The buyer paid while it was being canceled.
            return "paid_to_held_seller"
    return problem


def _find_mismatch(order: Order, intent: Intent) -> str:
    if order.status != Order.Status.AWAITING_PAYMENT:
        return f"surplus_order_{order.status}"
    if intent.currency != order.currency:
        return "currency_mismatch"
    if not intent.is_for(order.total, order.currency) or intent.received_minor != intent.amount_minor:
        return "amount_mismatch"
    return ""
