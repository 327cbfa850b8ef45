"""Charge the winner's saved card after the close, if they want that: once, and only if no payment has begun.

Nothing can be charged twice. There is one live PaymentIntent per order, checkout's own, and Stripe lets one be paid
once (https://docs.stripe.com/payments/paymentintents/lifecycle). Killed at any point, the next run finds the payment
by its stored key, and its intent as it is.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db import transaction

from auctioncraft.core import clock, retry
from auctioncraft.core.errors import DomainError
from payments import errors, stripe_gateway
from payments.models import Order, OrderEvent, Payment
from payments.services import cards, checkout, customers, order_log, payment_sync, sellers, stripe_request
from payments.signals import payment_failed

if TYPE_CHECKING:
    from payments.models import SavedCard
    from payments.services.checkout import OpenPayment
    from payments.stripe_gateway import Intent

# While Stripe is away it is tried again for so long: as long as it remembers a key.
RETRY_PERIOD: Final = timedelta(hours=24)
_UNATTEMPTED: Final = ("requires_payment_method", "requires_confirmation")
# An order has one schedule for all its jobs, so this one never puts the others off for long.
POLICY: Final = retry.RetryPolicy(longest_delay=timedelta(minutes=1), max_attempts=10**9, stop_on=(errors.StripeDown,))


def charge_winners() -> int:
    """Charge the saved cards of winners who want that; return how many orders are done with it. A job."""
    due = Order.objects.filter(auto_charge=Order.AutoCharge.DUE)
    return retry.process_due(due, _charge_winner, policy=POLICY)


def _charge_winner(order: Order) -> None:
    card = cards.auto_charge_card(user_id=order.buyer_id)
    if card is None or clock.now() > order.created_at + RETRY_PERIOD:
        return _finish(order.pk)
    try:
        opened = checkout.open_intent(find_order=lambda: order.pk, role=OrderEvent.Role.SYSTEM)
        if not _is_unattempted(opened, order.buyer_id):
            return _finish(order.pk)
        return _charge(opened, card)
    except errors.StripeUnavailable:
        raise
    except (errors.OrderPaid, errors.OrderNotPayable):
        return _finish(order.pk)
    except DomainError as refused:
        return _finish(order.pk, refused=_reason(refused))


def _is_unattempted(opened: OpenPayment, buyer_id: int) -> bool:
    """Return whether no payment has begun or was declined, and the intent belongs to the buyer's customer."""
    intent, payment = opened.intent, opened.payment
    owned = bool(payment.stripe_customer_id) and payment.stripe_customer_id == customers.stripe_id(user_id=buyer_id)
    return owned and intent.status in _UNATTEMPTED and not intent.last_error_code


def _charge(opened: OpenPayment, card: SavedCard) -> None:
    intent_id, refused = opened.intent.id, ""
    try:
        intent = _confirm(opened, card)
    except errors.PaymentRefused as refusal:
        if not sellers.can_take(destination=opened.payment.destination):
            # Not the buyer's fault: the next attempt pays us.
            raise retry.RetryLater(timedelta(seconds=1)) from None
        # Declined, or paid or canceled while we came: the intent says which.
        intent, refused = stripe_gateway.retrieve_intent(intent_id), _reason(refusal)
    with transaction.atomic(durable=True):
        order, payment = payment_sync.lock(payment_id=opened.payment.pk, intent=intent)
        payment_sync.apply(order=order, payment=payment, intent=intent)
        # Stripe sends an event for a decline, which notifies the buyer.
        _mark_done(order, refused="" if intent.last_error_code else refused)


def _confirm(opened: OpenPayment, card: SavedCard) -> Intent:
    return stripe_request.send(
        claim=lambda: Payment.objects.get(pk=opened.payment.pk),
        ask=lambda payment: stripe_gateway.charge_saved_card(
            intent_id=opened.intent.id,
            payment_method_id=card.stripe_payment_method_id,
            idempotency_key=f"{payment.idempotency_key}:charge",
        ),
        record=lambda _, intent: intent,
    )


@transaction.atomic(durable=True)
def _finish(order_id: int, refused: str = "") -> None:
    _mark_done(Order.objects.locked(order_id), refused=refused)


def _mark_done(order: Order, *, refused: str) -> None:
    """Mark a locked order as tried; if it was refused and is still to be paid, say so to its buyer. Once."""
    if order.auto_charge != Order.AutoCharge.DUE:
        return
    order.auto_charge = Order.AutoCharge.DONE
    order.save(update_fields=("auto_charge",))
    if refused and order.status == Order.Status.AWAITING_PAYMENT:
        order_log.record(order=order, kind=OrderEvent.Kind.PAYMENT_FAILED, at=clock.now(), reason=refused)
        payment_failed.send(sender=Order, order=order)


def _reason(refused: DomainError) -> str:
    return str(refused.extra.get("stripe_code") or refused.code)
