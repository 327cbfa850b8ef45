"""Disputes: what a buyer's bank takes back, as Stripe reports it. They are answered in Stripe's dashboard.

Source: https://docs.stripe.com/disputes/how-disputes-work
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from auctioncraft.core import clock, money
from payments import errors, stripe_gateway
from payments.models import Dispute, OrderEvent, Payment
from payments.services import order_log, payment_sync, payouts

if TYPE_CHECKING:
    from datetime import datetime

    from payments.models import Order, StripeEvent
    from payments.stripe_gateway import DisputeAtStripe, Intent


@dataclass(frozen=True, slots=True)
class FetchedDispute:
    """A dispute at Stripe, and the intent of its payment if we have not heard yet that its money came."""

    payment_id: int
    intent: Intent | None
    dispute: DisputeAtStripe


def read_event(event: StripeEvent) -> FetchedDispute | None:
    """Return the dispute as it is now; None if it is not ours or unknown to Stripe."""
    if not Payment.objects.filter(stripe_intent_id=stripe_gateway.event_intent_id(event.payload)).exists():
        return None
    return read(dispute_id=stripe_gateway.object_id(event.payload, "dispute"))


def read(*, dispute_id: str) -> FetchedDispute | None:
    """Ask Stripe for a dispute; None if it is not ours or unknown to Stripe."""
    try:
        dispute = stripe_gateway.retrieve_dispute(dispute_id)
        payment_id = (
            Payment.objects.filter(stripe_intent_id=dispute.stripe_intent_id).values_list("pk", flat=True).first()
        )
        if payment_id is None:
            return None
        intent = payment_sync.fetch_if_unconfirmed(intent_id=dispute.stripe_intent_id)
    except errors.StripeObjectMissing:
        return None
    return FetchedDispute(payment_id=payment_id, intent=intent, dispute=dispute)


def sync(found: FetchedDispute) -> str:
    """Bring our row of a dispute forward to what `found` says of it, in the caller's transaction, or insert it.

    While it is open nothing is paid out to the seller; their share of what is lost is taken back.
    Returns a flag for staff when there is something new to look at.
    """
    order, payment = payment_sync.lock(payment_id=found.payment_id, intent=found.intent)
    if found.dispute.livemode != stripe_gateway.is_live_mode():
        return "wrong_mode"
    flag = payment_sync.apply(order=order, payment=payment, intent=found.intent) if found.intent else ""
    if payment.received is None:
        return flag or "dispute_before_payment"
    row = payment.disputes.select_for_update(no_key=True).filter(stripe_dispute_id=found.dispute.id).first()
    if row is None:
        row = Dispute(payment=payment, stripe_dispute_id=found.dispute.id, opened_at=found.dispute.opened_at)
    return _sync_row(order, payment, row, found.dispute, clock.now()) or flag


def _sync_row(order: Order, payment: Payment, row: Dispute, found: DisputeAtStripe, now: datetime) -> str:
    is_new, was_over, was = row.pk is None, row.closed_at is not None, row.status
    if was_over and found.status not in Dispute.CLOSED_STATUSES:
        return ""  # read before it was over
    row.status, row.reason = found.status, found.reason[:50]
    row.amount, row.currency, row.evidence_due_at = found.amount, found.currency, found.evidence_due_at
    if found.status in Dispute.CLOSED_STATUSES and not was_over:
        row.closed_at = now
    row.save()
    if is_new:
        _record(order, row, OrderEvent.Kind.DISPUTED, now, reason=row.reason)
        if payment.paid_its_order:
            payouts.block(order=order, why=payouts.DISPUTED)
    if row.closed_at is None or row.status == was:
        return "disputed" if is_new else ""
    _record(order, row, OrderEvent.Kind.DISPUTE_CLOSED, now, reason=row.status)
    if payment.paid_its_order:
        _update_payout(order, payment, row, was, now)
    return "dispute_lost" if row.status == "lost" else ""


def _update_payout(order: Order, payment: Payment, dispute: Dispute, was: str, now: datetime) -> None:
    """Take the seller's share of what was lost, and let the rest of their payout go.

    A bank may still find for the seller after it was lost: https://docs.stripe.com/disputes/responding
    """
    left = order.total - order.refunded
    lost = min(dispute.amount, left) if dispute.currency == order.currency else left
    if dispute.status == "lost":
        payouts.claw_back(order=order, payment=payment, amount=lost, at=now)
    elif was == "lost":
        payouts.restore(order=order, payment=payment, amount=lost)
    payouts.unblock(order=order)


def _record(order: Order, dispute: Dispute, kind: OrderEvent.Kind, now: datetime, *, reason: str) -> None:
    amount = money.to_text(dispute.amount, dispute.currency)
    role = OrderEvent.Role.STRIPE
    order_log.record(order=order, kind=kind, at=now, role=role, amount=amount, currency=dispute.currency, reason=reason)
