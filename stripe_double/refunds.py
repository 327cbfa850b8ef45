"""Refunds, never more than was charged, with the reversal of the transfer and of the fee.

Source: https://docs.stripe.com/api/refunds and https://docs.stripe.com/refunds
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stripe_double import accounts, currencies, disputes, ledger, objects, params, payment_methods, transfers
from stripe_double.errors import StripeError

if TYPE_CHECKING:
    from stripe_double.call import Call

JSON = dict[str, Any]

REASONS = ("duplicate", "fraudulent", "requested_by_customer")


def create(call: Call, _: str = "") -> JSON:
    """Refund a charge, fully or `amount` of it. The sum of its refunds never passes what was charged.

    Source: https://docs.stripe.com/api/refunds/create
    """
    given = call.params
    params.only(
        given,
        *("amount", "charge", "metadata", "payment_intent", "reason", "refund_application_fee", "reverse_transfer"),
    )
    amount = params.integer(given, "amount")
    reason = params.one_of(given, "reason", REASONS)
    charge = _charge_of(call)
    if disputes.blocks_refund(call, charge):
        message = f"Charge {charge['id']} has been charged back; cannot issue a refund."
        raise StripeError(message, code="charge_disputed", saved=True)
    left = charge["amount"] - charge["amount_refunded"]
    if left == 0:
        message = f"Charge {charge['id']} has already been refunded."
        raise StripeError(message, code="charge_already_refunded", saved=True)
    if amount is not None and amount > left:
        asked, rest = (currencies.format_amount(value, charge["currency"]) for value in (amount, left))
        message = f"Refund amount ({asked}) is greater than unrefunded amount on charge ({rest})"
        raise StripeError(message, param="amount", saved=True)
    _check_connect(call, charge)
    refund = objects.refund(charge, amount or left, reason, params.metadata(given, {}))
    method = call.find("payment_method", charge["payment_method"], "payment_method")
    if payment_methods.behaviour(call, method).refund == "waits":
        refund |= {"status": "pending", "pending_reason": "processing"}
    refund["balance_transaction"] = _moved(call, charge, refund, "refund", -refund["amount"])
    call.store.add(refund)
    if params.boolean(given, "reverse_transfer"):
        _reverse_share(call, charge, refund)
    if params.boolean(given, "refund_application_fee"):
        _return_fee_share(call, charge, refund)
    previous = _set_refunded(charge, charge["amount_refunded"] + refund["amount"])
    call.store.save(refund)
    call.store.save(charge)
    call.announce("refund.created", refund)
    call.announce("charge.refunded", charge, previous)
    return refund


def update(call: Call, refund_id: str) -> JSON:
    """Change a refund's metadata.

    Source: https://docs.stripe.com/api/refunds/update
    """
    params.only(call.params, "metadata")
    refund = call.find("refund", refund_id, "refund")
    previous = {"metadata": refund["metadata"]}
    refund["metadata"] = params.metadata(call.params, refund["metadata"])
    call.store.save(refund)
    if refund["metadata"] != previous["metadata"]:
        call.announce("refund.updated", refund, previous)
    return refund


def may_settle(call: Call, refund: JSON, *, succeed: bool) -> bool:
    """Return whether the bank can still decide: a pending refund either way, a failing card only to failure."""
    method = call.find("payment_method", refund["payment_method"], "payment_method")
    fails = payment_methods.behaviour(call, method).refund == "fails"
    return refund["status"] == "pending" or (fails and refund["status"] == "succeeded" and not succeed)


def settle(call: Call, refund: JSON, *, succeed: bool) -> JSON:
    """Finish a refund as the customer's bank would days later; a failed refund counts as charged again.

    A failed refund restores neither the reversed transfer nor the returned fee, like Stripe.
    Source: https://docs.stripe.com/refunds#failed-refunds
    """
    previous = {"status": refund["status"]}
    refund.pop("pending_reason", None)
    if succeed:
        refund["status"] = "succeeded"
    else:
        charge = call.find("charge", refund["charge"], "charge")
        moved = _moved(call, charge, refund, "refund_failure", refund["amount"])
        refund |= {"status": "failed", "failure_reason": "unknown", "failure_balance_transaction": moved}
        _set_refunded(charge, charge["amount_refunded"] - refund["amount"])
        call.store.save(charge)
    call.store.save(refund)
    call.announce("refund.updated", refund, previous)
    if not succeed:
        call.announce("refund.failed", refund)
    return refund


def _check_connect(call: Call, charge: JSON) -> None:
    if params.boolean(call.params, "reverse_transfer"):
        if not charge.get("transfer"):
            message = (
                f"Cannot reverse transfer on charge {charge['id']} because it does not have an associated transfer."
            )
            raise StripeError(message, param="reverse_transfer")
        accounts.check_balance(call, call.find("transfer", charge["transfer"], "charge")["destination"])
    if params.boolean(call.params, "refund_application_fee") and charge["application_fee"] is None:
        message = f"Attempting to refund_application_fee on charge {charge['id']}, but it has no application fee"
        raise StripeError(message, param="refund_application_fee")


def _reverse_share(call: Call, charge: JSON, refund: JSON) -> None:
    transfer = call.find("transfer", charge["transfer"], "charge")
    amount = _share(transfer["amount"], charge, refund)
    amount = min(amount, transfer["amount"] - transfer["amount_reversed"])
    if amount:
        reversal = transfers.reverse_transfer(call, transfer, amount, refund=refund["id"])
        refund["transfer_reversal"] = reversal["id"]


def _return_fee_share(call: Call, charge: JSON, refund: JSON) -> None:
    fee = call.find("application_fee", charge["application_fee"], "charge")
    amount = min(_share(fee["amount"], charge, refund), fee["amount"] - fee["amount_refunded"])
    if amount:
        transfers.refund_fee(call, fee, amount)


def _share(whole: int, charge: JSON, refund: JSON) -> int:
    """Return the share of `whole` that belongs to this refund, in proportion to the charge.

    Stripe documents the proportion and not its rounding. Here the parts of all refunds so far are `whole` times their
    sum over the charge, rounded down: a full refund in any number of steps returns the whole.
    Source: https://docs.stripe.com/connect/destination-charges#issue-refunds
    """
    before, after = charge["amount_refunded"], charge["amount_refunded"] + refund["amount"]
    return int(whole * after // charge["amount"] - whole * before // charge["amount"])


def _set_refunded(charge: JSON, amount: int) -> JSON:
    """Set the refunded amount of a charge; return the previous values of changed attributes."""
    previous = {"amount_refunded": charge["amount_refunded"], "refunded": charge["refunded"]}
    charge |= {"amount_refunded": amount, "refunded": amount == charge["amount"]}
    return {name: value for name, value in previous.items() if value != charge[name]}


def _moved(call: Call, charge: JSON, refund: JSON, type_: str, amount: int) -> str:
    if charge["payment_method_details"]["type"] != "card":
        type_ = {"refund": "payment_refund", "refund_failure": "payment_failure_refund"}[type_]
    moved = ledger.record(call, type_=type_, amount=amount, currency=refund["currency"], source=refund["id"])
    return str(moved["id"])


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
