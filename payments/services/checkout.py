"""Checkout: the winner's one live PaymentIntent."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from django.db import transaction

from auctioncraft.core import clock, idempotency
from auctioncraft.core.errors import NotFound
from auctions.models import Auction
from payments import errors, stripe_gateway
from payments.models import Order, OrderEvent, Payment
from payments.services import customers, holds, order_log, payment_sync, payouts, sellers, stripe_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from payments.stripe_gateway import Intent


@dataclass(frozen=True, slots=True)
class OpenPayment:
    """An order's live payment, and its intent as Stripe held it a moment ago."""

    order: Order
    payment: Payment
    intent: Intent


def create_payment_intent(*, product_id: int, user_id: int, idempotency_key: str | None = None) -> OpenPayment:
    """Return the live PaymentIntent of the winner's order, made on the first call; amount and currency are the order's.

    Effects in order: the client's key is committed; the payment and its idempotency key are committed; Stripe is asked,
    outside any transaction; the intent's id is committed. Whatever breaks in between, the next call finds the same
    intent by the same key.
    An order stays payable past `due_at` until it is expired. The client's own key adds only that it must not have
    been used for another request: the same intent comes back with it or without.

    Raises NotFound, AuctionNotSold, NotTheWinner, OrderPaid, OrderNotPayable, AmountNotChargeable, PaymentRefused,
    StripeUnavailable, IdempotencyKeyReused.
    """
    request = idempotency.identify("create_payment_intent", user_id=user_id, key=idempotency_key, product=product_id)
    return idempotency.run_reserved(
        request,
        lambda: open_intent(find_order=lambda: _payable_order(product_id, user_id), role=OrderEvent.Role.BUYER),
    )


def open_intent(*, find_order: Callable[[], int], role: OrderEvent.Role) -> OpenPayment:
    """Return the live payment of the order that `find_order` names, with its intent; `role`: who begins to pay.

    Never called in a transaction; `find_order` is, in the one that claims the payment, and again if that was in vain.
    Raises what it raises, OrderPaid, OrderNotPayable, AmountNotChargeable, PaymentRefused, StripeUnavailable.
    """
    return stripe_request.send(
        claim=lambda: _claim(find_order),
        ask=_ask_stripe,
        record=lambda payment, intent: _record(claimed=payment, intent=intent, role=role),
        change=_fallback_params,
    )


@transaction.atomic(durable=True)
def _claim(find_order: Callable[[], int]) -> Payment:
    """Return the live payment of the order, or insert one: its idempotency key is committed before Stripe is asked."""
    order = Order.objects.locked(find_order())
    if order.status == Order.Status.PAID:
        raise errors.OrderPaid
    if order.status != Order.Status.AWAITING_PAYMENT:
        raise errors.OrderNotPayable
    payment = order.payments.live().first()
    if payment is None:
        # What is paid for a seller who is held stays with us. A hold comes before this transaction or after it.
        held = holds.lock_and_check(seller_id=order.seller_id)
        destination = "" if held else sellers.find_destination(seller_id=order.seller_id)
        payment = Payment.objects.create(
            order=order,
            amount=order.total,
            currency=order.currency,
            stripe_customer_id=customers.stripe_id(user_id=order.buyer_id),
            destination=destination,
            fee=payouts.split_total(order)[0] if destination else Decimal(0),
        )
    payment.order = order
    return payment


def _payable_order(product_id: int, user_id: int) -> int:
    """Return the id of the caller's order of this product: the live one, else the newest."""
    status = Auction.objects.filter(pk=product_id).values_list("status", flat=True).first()
    if status is None:
        raise NotFound
    if status != Auction.Status.SOLD:
        raise errors.AuctionNotSold
    mine = list(Order.objects.filter(product_id=product_id, buyer_id=user_id).values_list("pk", "status"))
    if not mine:
        raise errors.NotTheWinner
    live = [pk for pk, status in mine if status in {Order.Status.AWAITING_PAYMENT, Order.Status.PAID}]
    return live[0] if live else mine[0][0]


def _ask_stripe(payment: Payment) -> Intent | None:
    """Return the payment's intent as it is now, creating it if need be; None if Stripe knows it no more."""
    if payment.stripe_intent_id is None:
        return stripe_gateway.create_intent(
            amount=payment.amount,
            currency=payment.currency,
            # For people in the dashboard; nothing is ever believed because of it.
            metadata={
                "order": str(payment.order_id),
                "product": str(payment.order.product_id),
                "payment": str(payment.pk),
            },
            idempotency_key=str(payment.idempotency_key),
            customer_id=payment.stripe_customer_id,
            destination=payment.destination,
            fee=payment.fee,
        )
    try:
        intent = stripe_gateway.retrieve_intent(payment.stripe_intent_id)
    except errors.StripeObjectMissing:
        return None
    if not intent.status.startswith("requires_"):
        return intent
    if intent.is_for(payment.amount, payment.currency) and sellers.can_take(destination=payment.destination):
        return intent
    # It was edited at Stripe: the buyer must not pay a wrong amount. Or the seller's account can take nothing any more,
    # and Stripe would refuse the payment. The next round creates another.
    return stripe_gateway.cancel_intent(intent.id)


@transaction.atomic(durable=True)
def _record(*, claimed: Payment, intent: Intent | None, role: OrderEvent.Role) -> OpenPayment | None:
    """Store what Stripe answered. None if that is nothing to pay with: the next round finds out what is."""
    order, payment = payment_sync.lock(payment_id=claimed.pk, intent=intent)
    if not payment.is_live or payment.idempotency_key != claimed.idempotency_key:
        return None
    if intent is None:
        payment.status = Payment.Status.CANCELED
        payment.save(update_fields=("status",))
        return None
    if payment.status == Payment.Status.CREATING:
        payment.stripe_intent_id = intent.id
        payment.status = Payment.Status.OPEN
        payment.save(update_fields=("stripe_intent_id", "status"))
        order_log.record(
            order=order,
            kind=OrderEvent.Kind.PAYMENT_STARTED,
            at=clock.now(),
            role=role,
            actor=order.buyer if role == OrderEvent.Role.BUYER else None,
        )
    # A webhook that was lost or late: this retrieved intent says the same.
    payment_sync.apply(order=order, payment=payment, intent=intent)
    if not payment.is_live or order.status != Order.Status.AWAITING_PAYMENT:
        return None
    return OpenPayment(order=order, payment=payment, intent=intent)


def _fallback_params(payment: Payment, refusal: errors.PaymentRefused) -> dict[str, str | Decimal]:
    """Return what to change in a refused request so that it may be accepted; empty if nothing can be."""
    if payment.stripe_intent_id:
        return {}
    if payment.stripe_customer_id and isinstance(refusal, errors.StripeObjectMissing):
        # The customer was deleted at Stripe: the buyer pays as one who has none.
        return {"stripe_customer_id": ""}
    if payment.destination:
        # The seller's account can take nothing just now: we collect, and transfer their share later.
        return {"destination": "", "fee": Decimal(0)}
    # Stored, so that the buyer gets no strike for what Stripe would not let them pay.
    code = str(refusal.extra.get("stripe_code") or refusal.code)[:200]
    Payment.objects.filter(pk=payment.pk, status=Payment.Status.CREATING).update(decline_code=code)
    return {}
