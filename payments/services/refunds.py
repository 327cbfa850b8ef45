"""Refunds: requested up to what is left of their payment, then made at Stripe.

What the seller has been sent comes back first (services/transfers.py); the refund is made once it did. So nothing is
paid out of our own money unless staff force it. A recorded payment is refunded outside Stripe, and that is recorded.

Source: https://docs.stripe.com/refunds
"""

from __future__ import annotations

import dataclasses
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import transaction

from accounts.services import staff_actions
from auctioncraft.core import card_amounts, clock, idempotency, money, retry
from auctioncraft.core.errors import Invalid, NotFound, PermissionDenied
from payments import errors, stripe_gateway
from payments.models import Dispute, Order, Payment, Refund
from payments.services import order_log, payouts, refund_sync, stripe_request, transfers

if TYPE_CHECKING:
    from datetime import date
    from decimal import Decimal

    from django.db.models import QuerySet

    from accounts.models import User
    from payments.stripe_gateway import RefundAtStripe

# These attempts take more than a week, and while Stripe is down a refund is never given up; then staff must look.
POLICY: Final = retry.RetryPolicy(max_attempts=23, stop_on=(errors.StripeDown,))


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRequest:
    """What is asked for. `amount` None: all that is left. `payment`: the PaymentIntent's id, if it is not the order's.

    `force_reason`: why staff refund what the seller may not give back. `note`: why staff refund at all. `method`,
    `reference` and `dated` describe the refund of a recorded payment.
    """

    amount: Decimal | None = None
    reason: str = ""
    payment: str = ""
    force_reason: str = ""
    note: str = ""
    method: str = ""
    reference: str = ""
    dated: date | None = None


def refund_order(
    *, order_id: int, actor: User, request: RefundRequest | None = None, idempotency_key: str | None = None
) -> Refund:
    """Refund a payment of an order, fully or in part, and return the refund.

    Its seller and staff who are not its buyer; by default the payment that paid the order, else its only surplus, which
    staff alone refund. Effects in order: the refund, its key to Stripe, its share of the ceiling and the reversal that
    it waits for are committed; Stripe is asked for the reversal, then for the refund, outside any transaction; each
    answer is committed. With Stripe away the refund is kept and jobs go on: what may have been made must not be
    requested twice.

    Raises NotFound, PermissionDenied, PaidOut, NothingToRefund, OrderDisputed, RefundTooLarge, RefundRefused, Invalid,
    IdempotencyKeyReused.
    """
    request = request or RefundRequest()
    asked = idempotency.run_idempotent(
        idempotency.identify(
            "refund_order", user_id=actor.pk, key=idempotency_key, order=order_id, **dataclasses.asdict(request)
        ),
        lambda: {"refund": _request(order_id, actor, request).pk},
    )
    with suppress(errors.StripeUnavailable):
        send_now(refund_id=asked["refund"])
    refund = Refund.objects.select_related("payment").get(pk=asked["refund"])
    if refund.failure_code == errors.PaidOut.code:
        raise errors.PaidOut
    if refund.status in {Refund.Status.FAILED, Refund.Status.CANCELED}:
        raise errors.RefundRefused(stripe_code=refund.failure_code)
    return refund


@transaction.atomic
def _request(order_id: int, actor: User, request: RefundRequest) -> Refund:
    if not Order.objects.visible_to(actor).filter(pk=order_id).exists():
        raise NotFound
    order = Order.objects.locked(order_id)
    _check_actor(order, actor, request)
    payment = Payment.objects.locked(_payment_of(order, actor, request.payment).pk)
    _check_source(order, payment, actor, request)
    # Stripe can reverse its own transfer, but not what staff have paid by hand: we would pay twice.
    if payment.paid_its_order and not request.force_reason and payouts.is_paid_by_hand(order=order):
        raise errors.PaidOut
    amount = _check(payment, request.amount)
    refund = Refund(
        payment=payment,
        amount=amount,
        currency=payment.received_currency,
        reason=request.reason,
        forced_reason=request.force_reason,
        requested_by=actor,
    )
    if payment.is_recorded:
        refund.method, refund.reference, refund.dated = request.method, request.reference, request.dated
        refund.status, refund.settled_at = Refund.Status.SUCCEEDED, clock.now()
        refund_sync.record_outside(order=order, payment=payment, refund=refund, actor=actor, note=request.note)
        return refund
    # This request asks Stripe now; the job does should it die.
    refund.next_attempt_at = POLICY.lease_end()
    refund.save()
    refund_sync.reserve(order=order, payment=payment, refund=refund)
    role = order_log.role_in_order(user=actor, order=order)
    refund_sync.record_request(order=order, refund=refund, role=role, actor=actor, note=request.note)
    return refund


def _check_actor(order: Order, actor: User, request: RefundRequest) -> None:
    """Raise PermissionDenied or ConflictOfInterest unless the actor may refund this order, and in this way.

    Staff must say why.
    """
    if order_log.acts_as_staff(user=actor, order=order):
        staff_actions.check_reason(request.note or request.force_reason, field="note")
        return
    if actor.pk != order.seller_id:
        order_log.check_staff(user=actor, order=order)
    if request.reason == Refund.Reason.FRAUDULENT:
        # Stripe then blocks the buyer's card for all sellers: https://docs.stripe.com/api/refunds/create
        raise PermissionDenied("Only staff can call a payment fraudulent.")
    if request.force_reason:
        raise PermissionDenied("Only staff can force a refund.")


def _check_source(order: Order, payment: Payment, actor: User, request: RefundRequest) -> None:
    """Raise unless the actor may refund this payment, and says how if it was not made with Stripe."""
    as_staff = order_log.acts_as_staff(user=actor, order=order)
    if payment.status == Payment.Status.SURPLUS and not as_staff:
        raise PermissionDenied
    if not payment.is_recorded:
        if request.method:
            raise Invalid(method="This payment was made with Stripe, and is refunded there. Leave this out.")
        return
    if not as_staff and payment.recorded_by_id != actor.pk:
        raise PermissionDenied("Our staff received this payment. Ask them to refund it.")
    if not request.method:
        raise Invalid(method="This payment was made outside Stripe. Enter how you have refunded it.")
    check_date(request.dated, field="refunded_on")


def check_date(dated: date | None, *, field: str) -> None:
    """Raise Invalid unless this can be the day, anywhere on earth, on which money has moved."""
    if dated is None or dated > clock.now().date() + timedelta(days=1):
        raise Invalid(**{field: "Enter the day on which the money moved, not a future one."})


def _payment_of(order: Order, actor: User, intent_id: str) -> Payment:
    """Return the payment that `refund_order` is to refund."""
    came = order.payments.filter(received__isnull=False).order_by("pk")
    if intent_id:
        payment = came.filter(stripe_intent_id=intent_id).first()
        if payment is None:
            raise Invalid(payment="No money came in for this order with a payment of this id.")
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
    least = min(card_amounts.minimum(currency), left)
    if amount < least:
        raise Invalid(amount=f"Refund at least {money.to_text(least, currency)} {currency}.")
    if not payment.is_recorded and not card_amounts.is_card_amount(amount, currency):
        raise Invalid(amount=f"Cards take two decimals of {currency}'s three: the last one must be 0.")
    return amount


def send_now(*, refund_id: int) -> None:
    """Ask Stripe for a refund for a caller who waits, after its reversal; quiet if either was made or refused.

    Raises StripeUnavailable; `send_due` asks again.
    """
    refund = Refund.objects.get(pk=refund_id)
    if refund.reversal_id and not refund.forced_reason:
        transfers.reverse_now(reversal_id=refund.reversal_id)
    retry.attempt_now(_sendable(), refund_id, _send, policy=POLICY)


def send_due() -> int:
    """Ask Stripe for the refunds that are due; return how many it has made or refused. A job."""
    return retry.process_due(_sendable(), _send, policy=POLICY)


def restart(refunds: QuerySet[Refund]) -> int:
    """Make refunds that Stripe has not confirmed due, also those given up; return how many."""
    return retry.restart(refunds.filter(status=Refund.Status.CREATING))


def _sendable() -> QuerySet[Refund]:
    return Refund.objects.sendable().select_related("payment")


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
    # Surplus has no payout whose reversal comes first: Stripe takes back what its transfer has sent to the seller.
    from_seller = bool(payment.destination) and not payment.paid_its_order and not refund.forced_reason
    return stripe_gateway.create_refund(
        intent_id=intent_id,
        amount=refund.amount,
        currency=refund.currency,
        reason=refund.reason,
        metadata={"order": str(payment.order_id), "refund": str(refund.pk)},
        idempotency_key=str(refund.idempotency_key),
        reverse_transfer=from_seller,
        refund_fee=payment.fee > 0,
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
