"""Refunds: made and read. Disputes: read; they are answered in Stripe's dashboard."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from payments.stripe_gateway.amounts import from_minor_units, to_minor_units
from payments.stripe_gateway.client import client, translate_errors
from payments.stripe_gateway.webhook_events import event_object

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    import stripe
    from stripe.params import RefundCreateParams


@dataclass(frozen=True, slots=True)
class RefundAtStripe:
    """A refund as it is at Stripe now; `reverses_transfer`: with the seller's part of the transfer."""

    id: str
    status: str
    amount: Decimal
    currency: str
    reason: str
    failure_code: str
    reverses_transfer: bool
    metadata: dict[str, str] = field(default_factory=dict)


def create_refund(
    *,
    intent_id: str,
    amount: Decimal,
    currency: str,
    reason: str,
    metadata: Mapping[str, str],
    idempotency_key: str,
    reverse_transfer: bool = False,
    refund_fee: bool = False,
) -> RefundAtStripe:
    """Refund a part or all of what was paid with an intent, or find the refund that this key made.

    It comes from our balance. `reverse_transfer`: of a payment with a destination, Stripe takes the same part of the
    transfer back from the seller, or refuses; `refund_fee`: and gives them that part of the fee that we kept.
    Source: https://docs.stripe.com/api/refunds/create
    Raises PaymentRefused, KeyInUse, StoredFailure, StripeUnavailable. After the last the refund may exist: look for
    it in list_refunds, then ask again with the same key.
    """
    params: RefundCreateParams = {
        "payment_intent": intent_id,
        "amount": to_minor_units(amount, currency),
        "metadata": dict(metadata),
    }
    if reason:
        params["reason"] = reason
    if reverse_transfer:
        params["reverse_transfer"] = True
        params["refund_application_fee"] = refund_fee
    with translate_errors():
        return _refund(client().v1.refunds.create(params=params, options={"idempotency_key": idempotency_key}))


def list_refunds(intent_id: str) -> list[RefundAtStripe]:
    """Return all refunds of what was paid with an intent, also those that were not ours to make, oldest first.

    Source: https://docs.stripe.com/api/refunds/list
    Raises StripeObjectMissing, StripeUnavailable.
    """
    with translate_errors():
        pages = client().v1.refunds.list(params={"payment_intent": intent_id, "limit": 100})
        return [_refund(found) for found in pages.auto_paging_iter()][::-1]


def event_intent_id(payload: dict[str, Any]) -> str:
    """Return the id of the PaymentIntent whose refund, charge or dispute an event is about; empty if it names none."""
    intent_id = event_object(payload).get("payment_intent")
    return intent_id if isinstance(intent_id, str) else ""


def _refund(found: stripe.Refund) -> RefundAtStripe:
    values = found.to_dict()
    currency = values["currency"].upper()
    return RefundAtStripe(
        id=values["id"],
        # Null only of very old ones, which went through.
        status=values.get("status") or "succeeded",
        amount=from_minor_units(values["amount"], currency),
        currency=currency,
        reason=values.get("reason") or "",
        failure_code=(values.get("failure_reason") or "")[:100],
        reverses_transfer=bool(values.get("transfer_reversal")),
        metadata=values.get("metadata") or {},
    )


@dataclass(frozen=True, slots=True)
class DisputeAtStripe:
    """A dispute as it is at Stripe now; `intent_id` is empty of a charge that no PaymentIntent made. Times are UTC."""

    id: str
    stripe_intent_id: str
    status: str
    reason: str
    amount: Decimal
    currency: str
    livemode: bool
    opened_at: datetime
    evidence_due_at: datetime | None


def retrieve_dispute(dispute_id: str) -> DisputeAtStripe:
    """Return the dispute as it is now. Raises StripeObjectMissing, StripeUnavailable.

    Source: https://docs.stripe.com/api/disputes/retrieve
    """
    with translate_errors():
        return _dispute(client().v1.disputes.retrieve(dispute_id))


def _dispute(found: stripe.Dispute) -> DisputeAtStripe:
    values = found.to_dict()
    currency = values["currency"].upper()
    due = (values.get("evidence_details") or {}).get("due_by")
    return DisputeAtStripe(
        id=values["id"],
        stripe_intent_id=values.get("payment_intent") or "",
        status=values["status"],
        reason=values.get("reason") or "",
        amount=from_minor_units(values["amount"], currency),
        currency=currency,
        livemode=values["livemode"],
        opened_at=datetime.fromtimestamp(values["created"], UTC),
        evidence_due_at=datetime.fromtimestamp(due, UTC) if due else None,
    )
