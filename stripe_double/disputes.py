"""Disputes: a cardholder takes the money back, the seller answers with evidence, the bank decides.

The double takes no dispute fee, and ignores due dates: a bank decides at `/_double/disputes/{id}/close`, or at
once for the evidence by which Stripe's test mode wins and loses.
Source: https://docs.stripe.com/disputes/how-disputes-work and https://docs.stripe.com/testing#disputes
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from stripe_double import ledger, params
from stripe_double.errors import StripeError, missing_resource
from stripe_double.objects import new_id
from stripe_double.store import Query

if TYPE_CHECKING:
    from stripe_double.call import Call

JSON = dict[str, Any]

OPEN = ("needs_response", "under_review")
REASONS = (
    "bank_cannot_process", "check_returned", "credit_not_processed", "customer_initiated", "debit_not_authorized",
    "duplicate", "fraudulent", "general", "incorrect_account_details", "insufficient_funds", "noncompliant",
    "product_not_received", "product_unacceptable", "subscription_canceled", "unrecognized",
)  # fmt: skip
# Visa's codes for each reason. Source: https://docs.stripe.com/disputes/categories#network-code-map
VISA_CODES = {
    "credit_not_processed": "13.7",
    "duplicate": "12.6.1",
    "fraudulent": "10.4",
    "product_not_received": "13.1",
    "product_unacceptable": "13.3",
    "subscription_canceled": "13.2",
}
TEXTS = (
    "access_activity_log", "billing_address", "cancellation_policy_disclosure", "cancellation_rebuttal",
    "customer_email_address", "customer_name", "customer_purchase_ip", "duplicate_charge_explanation",
    "duplicate_charge_id", "product_description", "refund_policy_disclosure", "refund_refusal_explanation",
    "service_date", "shipping_address", "shipping_carrier", "shipping_date", "shipping_tracking_number",
    "uncategorized_text",
)  # fmt: skip
FILES = (
    "cancellation_policy", "customer_communication", "customer_signature", "duplicate_charge_documentation",
    "receipt", "refund_policy", "service_documentation", "shipping_documentation", "uncategorized_file",
)  # fmt: skip
MAX_EVIDENCE = 150_000
MAX_TEXT = 20_000
RESPONSE_TIME = 9 * 24 * 3600
# Source: https://docs.stripe.com/testing#evidence
DECISIVE = {"winning_evidence": "won", "losing_evidence": "lost"}


def open_dispute(call: Call, charge: JSON, *, amount: int | None = None, reason: str = "fraudulent") -> JSON:
    """Open a dispute over a paid charge and take `amount` of it (by default what was not refunded) from the balance.

    The caller has checked `dispute_error`. Changes `charge` and saves it.
    Source: https://docs.stripe.com/api/events/types#event_types-charge.dispute.created
    """
    dispute = _dispute(charge, amount or charge["amount"] - charge["amount_refunded"], reason)
    call.store.add(dispute)
    _move(call, dispute, -dispute["amount"])
    charge["disputed"] = True
    call.store.save(charge)
    call.announce("charge.dispute.created", dispute)
    call.announce("charge.dispute.funds_withdrawn", dispute)
    return dispute


def dispute_error(charge: JSON, amount: int | None, reason: str) -> str | None:
    """Return why a charge cannot be disputed so, or None."""
    left = charge["amount"] - charge["amount_refunded"]
    if charge["status"] != "succeeded":
        return "only what was paid can be disputed"
    if charge["disputed"]:
        return "this charge was disputed already"
    if not left or (amount is not None and not 0 < amount <= left):
        return f"amount must be between 1 and {left}, which is not refunded"
    if reason not in REASONS:
        return f"reason must be one of {', '.join(REASONS)}"
    return None


def blocks_refund(call: Call, charge: JSON) -> bool:
    """Return whether a dispute prevents a refund of the charge: one that is open or was lost."""
    found = call.store.find(Query("dispute", 100, equal={"charge": [charge["id"]]}))
    return any(dispute["status"] in (*OPEN, "lost") for dispute in found)


def update(call: Call, dispute_id: str) -> JSON:
    """Store evidence and, unless `submit` is false, submit it to the bank. Evidence can be submitted once.

    Source: https://docs.stripe.com/api/disputes/update
    """
    given = call.params
    params.only(given, "evidence", "submit", "metadata")
    dispute = call.find("dispute", dispute_id, "dispute")
    details = dispute["evidence_details"]
    submit = params.boolean({"submit": "true"} | given, "submit") and ("submit" in given or "evidence" in given)
    if "evidence" in given or submit:
        _check_open(dispute)
        if dispute["status"] != "needs_response":
            message = "The evidence of this dispute has already been submitted and can no longer be updated."
            raise StripeError(message, param="evidence")
    previous = {name: dispute[name] for name in ("evidence", "evidence_details", "metadata", "status")}
    evidence = dispute["evidence"] | _evidence(call)
    staged = any(evidence[name] for name in TEXTS)
    if sum(len(evidence[name] or "") for name in TEXTS) > MAX_EVIDENCE:
        message = f"The combined character count of all evidence is limited to {MAX_EVIDENCE:,}."
        raise StripeError(message, param="evidence")
    dispute |= {
        "evidence": evidence,
        "evidence_details": details | {"has_evidence": staged},
        "metadata": params.metadata(given, dispute["metadata"]),
    }
    if submit:
        dispute["status"] = "under_review"
        dispute["evidence_details"] |= {
            "submission_count": details["submission_count"] + 1,
            "submission_method": "manual",
        }
    call.store.save(dispute)
    changed = {name: value for name, value in previous.items() if value != dispute[name]}
    if changed:
        call.announce("charge.dispute.updated", dispute, changed)
    outcome = DECISIVE.get(evidence["uncategorized_text"] or "")
    return decide(call, dispute, outcome) if submit and outcome else dispute


def close(call: Call, dispute_id: str) -> JSON:
    """Accept a dispute: it is lost, and that is irreversible.

    Source: https://docs.stripe.com/api/disputes/close
    """
    params.only(call.params)
    dispute = call.find("dispute", dispute_id, "dispute")
    _check_open(dispute)
    return decide(call, dispute, "lost")


def decide(call: Call, dispute: JSON, outcome: str) -> JSON:
    """Close an open dispute as `won`, which gives the money back, or as `lost`.

    Source: https://docs.stripe.com/api/events/types#event_types-charge.dispute.closed
    """
    dispute["status"] = outcome
    if outcome == "won":
        _move(call, dispute, dispute["amount"])
        call.announce("charge.dispute.funds_reinstated", dispute)
    call.store.save(dispute)
    call.announce("charge.dispute.closed", dispute)
    return dispute


def _check_open(dispute: JSON) -> None:
    if dispute["status"] not in OPEN:
        raise StripeError("This dispute is already closed")


def _move(call: Call, dispute: JSON, amount: int) -> None:
    about = "Chargeback withdrawal" if amount < 0 else "Chargeback reversal"
    moved = ledger.record(
        call,
        type_="adjustment",
        amount=amount,
        currency=dispute["currency"],
        source=dispute["id"],
        description=f"{about} for {dispute['charge']}",
    )
    dispute["balance_transactions"].append(moved)
    call.store.save(dispute)


def _evidence(call: Call) -> JSON:
    given = call.params.get("evidence", {})
    if not isinstance(given, dict):
        raise StripeError("Invalid hash", code="parameter_invalid_string", param="evidence")
    for name in given:
        if name not in (*TEXTS, *FILES):
            message = f"Received unknown parameter: evidence[{name}]"
            raise StripeError(message, code="parameter_unknown", param=f"evidence[{name}]")
        if name in FILES and given[name]:  # the double keeps no files, so none has such an id
            raise missing_resource("file upload", str(given[name]), f"evidence[{name}]")
    return {name: params.text(given, name, MAX_TEXT) for name in given}


def _dispute(charge: JSON, amount: int, reason: str) -> JSON:
    now = int(time.time())
    return {
        "id": new_id("dp"),
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": charge["id"],
        "created": now,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": dict.fromkeys(sorted((*TEXTS, *FILES))) | {"enhanced_evidence": {}},
        "evidence_details": {
            "due_by": now + RESPONSE_TIME,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "payment_method_details": _method_details(charge, reason),
        "reason": reason,
        "status": "needs_response",
    }


def _method_details(charge: JSON, reason: str) -> JSON | None:
    card = charge["payment_method_details"].get("card")
    if card is None:  # Stripe includes the details of cards and wallets, not of bank accounts
        return None
    code = VISA_CODES.get(reason) if card["brand"] == "visa" else None
    shown = {"brand": card["brand"], "case_type": "chargeback", "network": card["network"], "network_reason_code": code}
    return {"card": shown, "type": "card"}
