"""Refunds, never more than was charged.

Source: https://docs.stripe.com/api/refunds and https://docs.stripe.com/refunds
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stripe_double import currencies, objects, params
from stripe_double.errors import StripeError

if TYPE_CHECKING:
    from stripe_double.call import Call

JSON = dict[str, Any]

REASONS = ("duplicate", "fraudulent", "requested_by_customer")


def create(call: Call, _: str = "") -> JSON:
    """Refund a charge, wholly or `amount` of it. The sum of its refunds never passes what was charged.

    Source: https://docs.stripe.com/api/refunds/create
    """
    given = call.params
    params.only(given, "payment_intent", "charge", "amount", "reason", "metadata")
    amount = params.integer(given, "amount")
    reason = params.text(given, "reason")
    if reason is not None and reason not in REASONS:
        message = f"Invalid reason: must be one of {', '.join(REASONS)}"
        raise StripeError(message, param="reason")
    charge = _charge_of(call)
    left = charge["amount"] - charge["amount_refunded"]
    if left == 0:
        message = f"Charge {charge['id']} has already been refunded."
        raise StripeError(message, code="charge_already_refunded", saved=True)
    if amount is not None and amount > left:
        asked, rest = (currencies.shown(value, charge["currency"]) for value in (amount, left))
        message = f"Refund amount ({asked}) is greater than unrefunded amount on charge ({rest})"
        raise StripeError(message, param="amount", saved=True)
    refund = objects.refund(charge, amount or left, reason, params.metadata(given, {}))
    previous = {"amount_refunded": charge["amount_refunded"], "refunded": charge["refunded"]}
    charge["amount_refunded"] += refund["amount"]
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    if not charge["refunded"]:
        del previous["refunded"]
    call.store.add(refund)
    call.store.save(charge)
    call.announce("refund.created", refund)
    call.announce("charge.refunded", charge, previous)
    return refund


def _charge_of(call: Call) -> JSON:
    intent_id, charge_id = params.text(call.params, "payment_intent"), params.text(call.params, "charge")
    if intent_id is None and charge_id is None:
        message = "One of the following params should be provided for this request: payment_intent or charge."
        raise StripeError(message, code="parameter_missing")
    if intent_id is None:
        charge = call.find("charge", charge_id or "", "charge")
        intent_id = charge["payment_intent"]
    else:
        intent = call.find("payment_intent", intent_id, "payment_intent")
        found = call.store.get("charge", intent["latest_charge"] or "")
        if charge_id is not None and (found is None or found["id"] != charge_id):
            message = f"Charge {charge_id} does not belong to PaymentIntent {intent_id}."
            raise StripeError(message, param="charge")
        charge = found or {"status": "failed"}
    if charge["status"] != "succeeded":
        message = f"This PaymentIntent ({intent_id}) does not have a successful charge to refund."
        raise StripeError(message, param="payment_intent", saved=True)
    return charge
