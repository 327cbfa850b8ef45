"""Refunds: asked for under the ceiling of their payment, then made at Stripe.

Source: https://docs.stripe.com/refunds
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q

from auctioncraft.core import clock, idempotency, money
from auctioncraft.core.errors import Invalid, NotFound, PermissionDenied
from auctioncraft.core.jobs import process_each
from payments import errors, stripe_gateway
from payments.models import Dispute, Order, Payment, Refund
from payments.services import order_log, payouts, refund_sync

if TYPE_CHECKING:
    from decimal import Decimal

    from accounts.models import User
    from payments.stripe_gateway import RefundAtStripe

# After the n-th try a refund waits until it is 10 s x 2^n old; after the 17th (7.6 days) staff must look.
_FIRST_RETRY: Final = timedelta(seconds=10)
_MOST_TRIES: Final = 17


def refund_order(
    *,
    order_id: int,
    actor: User,
    amount: Decimal | None = None,
    reason: str = "",
    payment: str = "",
    idempotency_key: str | None = None,
) -> Refund:
    """Refund `amount` of a payment of an order, by default all that is left, and return the refund as it stands.

    Its seller and staff; `payment` is a PaymentIntent's id, by default that of the payment which paid the order, else
    of its only surplus, which staff alone refund. Effects in order: the refund, its key to Stripe and its share of the
    ceiling are committed; Stripe is asked, outside any transaction; its answer is committed. With Stripe away the
    refund is kept and a sweep sends it: one that may have been made must not be asked for twice.

    Raises NotFound, PermissionDenied, PaidOut, NothingToRefund, OrderDisputed, RefundTooLarge, RefundRefused, Invalid,
    IdempotencyKeyReused.
    """
    given: dict[str, Any] = {"amount": amount, "reason": reason, "payment": payment}
    asked = idempotency.run_idempotent(
        idempotency.identify("refund_order", user_id=actor.pk, key=idempotency_key, order=order_id, **given),
        lambda: {"refund": _request(order_id, actor, amount, reason, payment).pk},
    )
    send(refund_id=asked["refund"])
    refund = Refund.objects.select_related("payment").get(pk=asked["refund"])
    if refund.status in {Refund.Status.FAILED, Refund.Status.CANCELED}:
        raise errors.RefundRefused(stripe_code=refund.failure_code)
    return refund


@transaction.atomic
def _request(order_id: int, actor: User, amount: Decimal | None, reason: str, intent_id: str) -> Refund:
    if not Order.objects.visible_to(actor).filter(pk=order_id).exists():
        raise NotFound
    order = Order.objects.locked(order_id)
    if not (actor.is_staff or actor.pk == order.seller_id):
        raise PermissionDenied
    if reason == Refund.Reason.FRAUDULENT and not actor.is_staff:
        # Stripe then blocks the buyer's card in the whole house: https://docs.stripe.com/api/refunds/create
        raise PermissionDenied("Only staff can call a payment fraudulent.")
    payment = Payment.objects.locked(_payment_of(order, actor, intent_id).pk)
    if not actor.is_staff and payouts.is_paid_by_hand(order=order):
        # Stripe can take back what it passed on, and nobody what staff have paid: the house would pay twice.
        raise errors.PaidOut
    amount = _check(payment, amount)
    refund = Refund.objects.create(
        payment=payment, amount=amount, currency=payment.received_currency, reason=reason, requested_by=actor
    )
    payment.refunds_reserved += amount
    payment.save(update_fields=("refunds_reserved",))
    role = order_log.role_in_order(user=actor, order=order)
    refund_sync.record_request(order=order, refund=refund, role=role, actor=actor)
    return refund


def _payment_of(order: Order, actor: User, intent_id: str) -> Payment:
    """Return the payment that `refund_order` is to refund."""
    came = order.payments.filter(received__isnull=False).order_by("pk")
    if intent_id:
        payment = came.filter(stripe_intent_id=intent_id).first()
        if payment is None:
            raise Invalid(payment="No money came in for this order with a payment of this id.")
        if payment.status == Payment.Status.SURPLUS and not actor.is_staff:
            raise PermissionDenied
        return payment
    paid = came.filter(status=Payment.Status.SUCCEEDED).first()
    surplus = list(came.filter(status=Payment.Status.SURPLUS)[:2]) if actor.is_staff and paid is None else []
    if len(surplus) > 1:
        raise Invalid(payment="Several payments of this order are surplus. Say which one.")
    payment = paid or next(iter(surplus), None)
    if payment is None:
        raise errors.NothingToRefund
    return payment


def _check(payment: Payment, amount: Decimal | None) -> Decimal:
    """Return what may be refunded of a locked payment: what was asked for, or all that is left."""
    left, currency = payment.refundable, payment.received_currency
    if left <= 0:
        raise errors.NothingToRefund
    if payment.disputes.filter(status__in=Dispute.STATUSES_BLOCKING_REFUNDS).exists():
        raise errors.OrderDisputed
    try:
        amount = left if amount is None else money.check_precision(amount, currency, settings.MAX_AMOUNT)
    except money.InvalidAmount as error:
        raise Invalid(amount=str(error)) from error
    if amount > left:
        raise errors.RefundTooLarge(refundable=money.to_text(left, currency), currency=currency)
    if not stripe_gateway.can_refund(amount=amount, currency=currency):
        raise Invalid(amount=f"Cards take two decimals of {currency}'s three: the last one must be 0.")
    return amount


def send(*, refund_id: int, tried: int | None = None) -> bool:
    """Have Stripe make a refund that was asked for; return whether it has, or refused. Quiet if that was done.

    Every try but the first looks for it at Stripe before it asks with the same key again, which Stripe may have
    forgotten after a day. Quiet too if it was tried more often than `tried` meanwhile: somebody else is at it.
    """
    refund = _begin_try(refund_id, tried)
    if refund is None:
        return False
    try:
        found = _look_for(refund) if refund.attempts > 1 else None
        found = found or _ask_stripe(refund)
    except errors.StoredFailure:
        _change_key(refund)
        return False
    except errors.StripeUnavailable:
        return False
    except errors.PaymentRefused as refusal:
        _record(refund, refused=refusal.extra["stripe_code"])
    else:
        _record(refund, found)
    return True


def send_due(*, limit: int = 50) -> int:
    """Send the refunds that Stripe has not answered yet and whose time has come; return how many it has. A sweep."""
    now, due = clock.now(), Q()
    for tries in range(_MOST_TRIES):
        due |= Q(attempts=tries, created_at__lte=now - _FIRST_RETRY * 2**tries)
    waiting = Refund.objects.filter(due, status=Refund.Status.CREATING).order_by("pk")
    return process_each(_send, list(waiting.values_list("pk", "attempts")[:limit]))


def _send(refund_id: int, tried: int) -> bool:
    return send(refund_id=refund_id, tried=tried)


@transaction.atomic(durable=True)
def _begin_try(refund_id: int, tried: int | None) -> Refund | None:
    """Count a try before it is made, so that whoever comes after a crash knows that Stripe may have been asked."""
    waiting = Refund.objects.filter(pk=refund_id, status=Refund.Status.CREATING)
    if tried is not None:
        waiting = waiting.filter(attempts=tried)
    if not waiting.update(attempts=F("attempts") + 1):
        return None
    return Refund.objects.select_related("payment").get(pk=refund_id)


def _look_for(refund: Refund) -> RefundAtStripe | None:
    made = stripe_gateway.list_refunds(refund.payment.stripe_intent_id or "")
    return next((found for found in made if found.metadata.get("refund") == str(refund.pk)), None)


def _ask_stripe(refund: Refund) -> RefundAtStripe:
    payment = refund.payment
    return stripe_gateway.create_refund(
        intent_id=payment.stripe_intent_id or "",
        amount=refund.amount,
        currency=refund.currency,
        reason=refund.reason,
        metadata={"order": str(payment.order_id), "refund": str(refund.pk)},
        idempotency_key=str(refund.idempotency_key),
        reverse_transfer=bool(payment.destination),
        refund_fee=bool(payment.destination and payment.fee),
    )


@transaction.atomic(durable=True)
def _record(refund: Refund, found: RefundAtStripe | None = None, *, refused: str = "") -> None:
    """Store what Stripe answered."""
    order = Order.objects.locked(refund.payment.order_id)
    payment = Payment.objects.locked(refund.payment_id)
    row = Refund.objects.select_for_update(no_key=True).get(pk=refund.pk)
    if found is not None:
        refund_sync.apply(order=order, payment=payment, refund=row, found=found)
    elif row.status == Refund.Status.CREATING:
        refund_sync.record_failure(order=order, payment=payment, refund=row, code=refused)


def _change_key(refund: Refund) -> None:
    """Let the next try, which looks first, be a new request: Stripe answers the old key with the failure it remembers.

    https://docs.stripe.com/error-low-level#idempotency
    """
    unchanged = Refund.objects.filter(pk=refund.pk, status=Refund.Status.CREATING)
    unchanged.filter(idempotency_key=refund.idempotency_key).update(idempotency_key=uuid.uuid4())
