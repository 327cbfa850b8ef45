"""Disputes: read. They are answered in Stripe's dashboard."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from payments.stripe_gateway.client import client, translate_errors
from payments.stripe_gateway.minor_units import from_minor_units

if TYPE_CHECKING:
    from decimal import Decimal

    import stripe


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
