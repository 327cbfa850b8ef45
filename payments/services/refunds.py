"""Refunds: requested up to what is left of their payment, then made at Stripe.

Source: https://docs.stripe.com/refunds
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db import transaction

from auctioncraft.core import idempotency, money, retry
from auctioncraft.core.errors import Invalid, NotFound, PermissionDenied
from payments import errors, stripe_gateway
from payments.models import Dispute, Order, Payment, Refund
from payments.services import order_log, payouts, refund_sync, stripe_request

if TYPE_CHECKING:
    from decimal import Decimal

    from django.db.models import QuerySet

    from accounts.models import User
    from payments.stripe_gateway import RefundAtStripe

# These attempts take more than a week, and while Stripe is down a refund is never given up; then staff must look.
POLICY: Final = retry.RetryPolicy(max_attempts=23, stop_on=(errors.StripeDown,))


def refund_order(
    *,
    order_id: int,
    actor: User,
    amount: Decimal | None = None,
    reason: str = "",
    payment: str = "",
    idempotency_key: str | None = None,
) -> Refund:
    """Refund `amount` of a payment of an order, by default all that is left, and return the refund.

    Its seller and staff; `payment` is a PaymentIntent's id, by default that of the payment which paid the order, else
    of its only surplus, which staff alone refund. Effects in order: the refund, its key to Stripe and its share of the
    ceiling are committed; Stripe is asked, outside any transaction; its answer is committed. With Stripe away the
    refund is kept and a job sends it: one that may have been made must not be requested twice.

    Raises NotFound, PermissionDenied, PaidOut, NothingToRefund, OrderDisputed, RefundTooLarge, RefundRefused, Invalid,
    IdempotencyKeyReused.
    """
    given: dict[str, Any] = {"amount": amount, "reason": reason, "payment": payment}
    asked = idempotency.run_idempotent(
        idempotency.identify("refund_order", user_id=actor.pk, key=idempotency_key, order=order_id, **given),
        lambda: {"refund": _request(order_id, actor, amount, reason, payment).pk},
    )
    with suppress(errors.StripeUnavailable):
        send_now(refund_id=asked["refund"])
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
        # Stripe then blocks the buyer's card for all sellers: https://docs.stripe.com/api/refunds/create
        raise PermissionDenied("Only staff can call a payment fraudulent.")
    payment = Payment.objects.locked(_payment_of(order, actor, intent_id).pk)
    if not actor.is_staff and payouts.is_paid_by_hand(order=order):
        # Stripe can reverse its own transfer, but not what staff have paid by hand: we would pay twice.
        raise errors.PaidOut
    amount = _check(payment, amount)
    refund = Refund.objects.create(
        payment=payment,
        amount=amount,
        currency=payment.received_currency,
        reason=reason,
        requested_by=actor,
        # This request asks Stripe now; the job does should it die.
        next_attempt_at=POLICY.lease_end(),
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
    """Return what may be refunded of a locked payment: the requested amount, or all that is left."""
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
        text = money.to_text(left, currency)
        raise errors.RefundTooLarge(f"Refund at most {text} {currency}.", refundable=text, currency=currency)
    if not stripe_gateway.can_refund(amount=amount, currency=currency):
        raise Invalid(amount=f"Cards take two decimals of {currency}'s three: the last one must be 0.")
    return amount


def send_now(*, refund_id: int) -> None:
    """Ask Stripe for a refund for a caller who waits; quiet if it was made or refused.

    Raises StripeUnavailable; `send_due` asks again.
    """
    retry.attempt_now(_pending(), refund_id, _send, policy=POLICY)


def send_due() -> int:
    """Ask Stripe for the refunds that are due; return how many it has made or refused. A job."""
    return retry.process_due(_pending(), _send, policy=POLICY)


def restart(refunds: QuerySet[Refund]) -> int:
    """Make refunds that Stripe has not confirmed due, also those given up; return how many."""
    return retry.restart(refunds.filter(status=Refund.Status.CREATING))


def _pending() -> QuerySet[Refund]:
    return Refund.objects.filter(status=Refund.Status.CREATING).select_related("payment")


def _send(refund: Refund) -> None:
    try:
        stripe_request.send(claim=lambda: refund, ask=_find_or_create, record=_record, rounds=1)
    except errors.PaymentRefused as refusal:
        _record_refusal(refund, refusal.extra["stripe_code"])


def _find_or_create(refund: Refund) -> RefundAtStripe:
    """Return the refund at Stripe. After the first attempt look for it there: Stripe forgets a key after a day."""
    payment = refund.payment
    intent_id = payment.stripe_intent_id or ""
    if refund.was_attempted:
        for found in stripe_gateway.list_refunds(intent_id):
            if found.metadata.get("refund") == str(refund.pk):
                return found
    return stripe_gateway.create_refund(
        intent_id=intent_id,
        amount=refund.amount,
        currency=refund.currency,
        reason=refund.reason,
        metadata={"order": str(payment.order_id), "refund": str(refund.pk)},
        idempotency_key=str(refund.idempotency_key),
        reverse_transfer=bool(payment.destination),
        refund_fee=bool(payment.destination and payment.fee),
    )


@transaction.atomic(durable=True)
def _record(refund: Refund, found: RefundAtStripe) -> Refund:
    order, payment, row = _lock(refund)
    refund_sync.apply(order=order, payment=payment, refund=row, found=found)
    return row


@transaction.atomic(durable=True)
def _record_refusal(refund: Refund, code: str) -> None:
    order, payment, row = _lock(refund)
    if row.status == Refund.Status.CREATING:
        refund_sync.record_failure(order=order, payment=payment, refund=row, code=code)


def _lock(refund: Refund) -> tuple[Order, Payment, Refund]:
    order = Order.objects.locked(refund.payment.order_id)
    payment = Payment.objects.locked(refund.payment_id)
    return order, payment, Refund.objects.select_for_update(no_key=True).get(pk=refund.pk)
