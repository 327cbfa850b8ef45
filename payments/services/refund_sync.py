"""Sync refunds with Stripe: our rows move forward only, whether we or the dashboard requested them.

Source: https://docs.stripe.com/refunds and https://docs.stripe.com/api/refunds/object
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from auctioncraft.core import clock, money
from payments import errors, stripe_gateway
from payments.models import OrderEvent, Payment, Refund
from payments.services import order_log, payment_sync, payouts
from payments.signals import refund_issued

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from accounts.models import User
    from payments.models import Order, StripeEvent
    from payments.stripe_gateway import Intent, RefundAtStripe

_S: Final = Refund.Status
# A refund that went through may still fail, when the bank sends it back; one that failed stays failed.
_RANK: Final[Mapping[str, int]] = MappingProxyType(
    {_S.CREATING: 0, _S.PENDING: 1, _S.SUCCEEDED: 2, _S.FAILED: 3, _S.CANCELED: 3}
)
_UNSUCCESSFUL: Final = (_S.FAILED, _S.CANCELED)


@dataclass(frozen=True, slots=True)
class FetchedRefunds:
    """All refunds of one payment at Stripe, and its intent if we have not heard yet that its money came."""

    payment_id: int
    intent: Intent | None
    refunds: Sequence[RefundAtStripe]


def read_event(event: StripeEvent) -> FetchedRefunds | None:
    """Return what Stripe has of the payment that the event is about; None if it is not ours, or has none."""
    found = read(intent_id=stripe_gateway.event_intent_id(event.payload))
    return found if found and found.refunds else None


def read(*, intent_id: str) -> FetchedRefunds | None:
    """Ask Stripe for all refunds of one payment; None if it is not ours, or Stripe does not know it any more."""
    payment_id = Payment.objects.filter(stripe_intent_id=intent_id).values_list("pk", flat=True).first()
    if payment_id is None:
        return None
    try:
        intent = payment_sync.fetch_if_unconfirmed(intent_id=intent_id)
        return FetchedRefunds(payment_id=payment_id, intent=intent, refunds=stripe_gateway.list_refunds(intent_id))
    except errors.StripeObjectMissing:
        return None


def sync(found: FetchedRefunds) -> str:
    """Bring our refunds of a payment forward to what `found` says, in the caller's transaction; take in unknown ones.

    Those were made in Stripe's dashboard; they count under the same ceiling. Returns a flag for staff, or nothing.
    """
    order, payment = payment_sync.lock(payment_id=found.payment_id, intent=found.intent)
    flags = []
    if found.intent is not None:
        flags.append(payment_sync.apply(order=order, payment=payment, intent=found.intent))
    if payment.received is None:
        return next(filter(None, flags), "refund_before_payment")
    # Those that came to nothing first: they leave room for the others.
    for refund in sorted(found.refunds, key=lambda refund: refund.status not in _UNSUCCESSFUL):
        row = _find_row(payment, refund)
        if row is None:
            flags.append(_import_refund(order, payment, refund))
        else:
            flags.append(apply(order=order, payment=payment, refund=row, found=refund))
    return next(filter(None, flags), "")


def apply(*, order: Order, payment: Payment, refund: Refund, found: RefundAtStripe) -> str:
    """Bring a refund forward to what Stripe says of it; order, payment and refund are locked in this order.

    Gone through: what paid the order counts as refunded, and refund_issued is sent. Come to nothing, even after that:
    it counts no more, the seller's share is theirs again, and it may be requested again. Returns a flag for staff, or
    nothing.
    """
    status = _S(found.status) if found.status in _RANK else _S.PENDING
    if refund.stripe_refund_id is not None and _RANK[status] <= _RANK[refund.status]:
        return ""
    refund.stripe_refund_id = found.id
    if refund.status in _UNSUCCESSFUL:
        # We gave it up, and Stripe had made it after all.
        if status in _UNSUCCESSFUL:
            refund.save(update_fields=("stripe_refund_id",))
            return ""
        refund.status = _S.CREATING
        _count_refund(order, payment, refund, found)
    _set_status(order, payment, refund, status, failure=found.failure_code)
    return "refund_failed" if status in _UNSUCCESSFUL else ""


def reserve(*, order: Order, payment: Payment, refund: Refund, reversed_at_stripe: bool = False) -> None:
    """Count a refund under the ceiling of its locked payment, and take the seller's share of it back.

    One that we have yet to ask Stripe for waits for that.
    """
    payment.refunds_reserved += refund.amount
    payment.save(update_fields=("refunds_reserved",))
    reversal = payouts.claw_back(
        order=order, payment=payment, amount=refund.amount, at=clock.now(), reversed_at_stripe=reversed_at_stripe
    )
    if reversal and refund.status == _S.CREATING and refund.stripe_refund_id is None:
        refund.reversal = reversal
        refund.save(update_fields=("reversal",))


def record_outside(*, order: Order, payment: Payment, refund: Refund, actor: User, note: str) -> None:
    """Insert a refund that was made outside Stripe, of a recorded payment; order and payment are locked."""
    refund.save()
    reserve(order=order, payment=payment, refund=refund)
    order.refunded += refund.amount
    order.save(update_fields=("refunded",))
    role = order_log.role_in_order(user=actor, order=order)
    words = {"note": note} if note else {}
    _record(order, refund, OrderEvent.Kind.REFUNDED, role=role, actor=actor, method=refund.method, **words)
    refund_issued.send(sender=Refund, order=order, refund=refund)


def record_failure(*, order: Order, payment: Payment, refund: Refund, code: str) -> None:
    """Fail a refund that Stripe did not make, for Stripe's reason `code`; all three are locked, in this order."""
    _set_status(order, payment, refund, _S.FAILED, failure=code)


def _find_row(payment: Payment, found: RefundAtStripe) -> Refund | None:
    """Return our row of a refund at Stripe: by its id, else the one that it was made for before we heard of its id."""
    rows = payment.refunds.select_for_update(no_key=True)
    if row := rows.filter(stripe_refund_id=found.id).first():
        return row
    ours = found.metadata.get("refund", "")
    if not (ours.isascii() and ours.isdigit() and len(ours) <= 18):
        return None
    # Metadata can be edited in the dashboard; the amount cannot.
    return rows.filter(pk=ours, stripe_refund_id__isnull=True, amount=found.amount, currency=found.currency).first()


def _import_refund(order: Order, payment: Payment, found: RefundAtStripe) -> str:
    """Insert a refund that was made in the dashboard, and bring it forward. Returns a flag for staff, or nothing."""
    refund = Refund(
        payment=payment,
        stripe_refund_id=found.id,
        amount=found.amount,
        currency=found.currency,
        reason=found.reason if found.reason in Refund.Reason.values else "",
    )
    if found.status in _UNSUCCESSFUL:
        # It need not fit under the ceiling: others may have taken its place since.
        refund.status, refund.failure_code, refund.settled_at = _S(found.status), found.failure_code, clock.now()
        refund.save()
        _record(order, refund, OrderEvent.Kind.REFUND_FAILED, reason=found.failure_code or found.status)
        return "refund_failed"
    refund.save()
    _count_refund(order, payment, refund, found)
    record_request(order=order, refund=refund, role=OrderEvent.Role.STRIPE)
    return apply(order=order, payment=payment, refund=refund, found=found)


def record_request(
    *, order: Order, refund: Refund, role: OrderEvent.Role, actor: User | None = None, note: str = ""
) -> None:
    """Log that a refund was requested, by whom and why, and why it was forced."""
    words = {"reason": refund.reason, "note": " ".join(filter(None, (refund.forced_reason, note)))}
    words = {name: text for name, text in words.items() if text}
    _record(order, refund, OrderEvent.Kind.REFUND_REQUESTED, role=role, actor=actor, **words)


def _count_refund(order: Order, payment: Payment, refund: Refund, found: RefundAtStripe) -> None:
    """Count a refund that Stripe has made under the ceiling of its payment.

    Ours that still wait give way to it, the newest first: for what is gone Stripe would refuse them.
    """
    waiting = payment.refunds.select_for_update(no_key=True).filter(status=_S.CREATING, stripe_refund_id__isnull=True)
    for other in waiting.exclude(pk=refund.pk).order_by("-pk"):
        if refund.amount <= payment.refundable:
            break
        record_failure(order=order, payment=payment, refund=other, code="charge_already_refunded")
    # One made in the dashboard may have left the seller their part.
    reserve(order=order, payment=payment, refund=refund, reversed_at_stripe=found.reverses_transfer)


def _set_status(order: Order, payment: Payment, refund: Refund, status: Refund.Status, *, failure: str) -> None:
    was, now = refund.status, clock.now()
    refund.status, refund.failure_code = status, failure
    refund.settled_at = None if status == _S.PENDING else now
    refund.save(update_fields=("stripe_refund_id", "status", "failure_code", "settled_at"))
    if status in _UNSUCCESSFUL:
        payment.refunds_reserved -= refund.amount
        payment.save(update_fields=("refunds_reserved",))
        payouts.restore(order=order, payment=payment, amount=refund.amount, reversal=refund.reversal)
    if payment.paid_its_order and _S.SUCCEEDED in {was, status}:
        order.refunded += refund.amount if status == _S.SUCCEEDED else -refund.amount
        order.save(update_fields=("refunded",))
    if status in _UNSUCCESSFUL:
        _record(order, refund, OrderEvent.Kind.REFUND_FAILED, reason=failure or status)
    elif status == _S.SUCCEEDED:
        _record(order, refund, OrderEvent.Kind.REFUNDED)
        refund_issued.send(sender=Refund, order=order, refund=refund)


def _record(
    order: Order,
    refund: Refund,
    kind: OrderEvent.Kind,
    *,
    role: OrderEvent.Role = OrderEvent.Role.STRIPE,
    actor: User | None = None,
    **data: str,
) -> None:
    amount = money.to_text(refund.amount, refund.currency)
    order_log.record(
        order=order, kind=kind, at=clock.now(), role=role, actor=actor, amount=amount, currency=refund.currency, **data
    )
