"""Paying a PaymentIntent: attach a payment method, charge it, ask for 3-D Secure, or be declined.

Source: https://docs.stripe.com/payments/paymentintents/lifecycle and https://docs.stripe.com/testing
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stripe_double import accounts, cards, charges, disputes, payment_methods, transfers
from stripe_double.errors import StripeError, unexpected_state

if TYPE_CHECKING:
    from stripe_double.call import Call
    from stripe_double.cards import Decline

JSON = dict[str, Any]

PARAMS = ("return_url", "use_stripe_sdk", "off_session")
OFF_SESSION = ("true", "one_off", "recurring")
CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
FAILED_AUTHENTICATION = (
    "The provided PaymentMethod has failed authentication. You can provide payment_method_data or a new PaymentMethod "
    "to attempt to fulfill this PaymentIntent again."
)


def attach(call: Call, intent: JSON) -> None:
    """Give the intent the payment method of the call, if it names one. The caller saves the intent.

    Source: https://docs.stripe.com/api/payment_intents/update
    """
    method = payment_methods.requested_method(call, intent)
    if method is not None:
        intent |= {"payment_method": method["id"], "status": "requires_confirmation", "next_action": None}


def check_confirmable(intent: JSON) -> None:
    """Raise Stripe's 400 for an intent that can no longer be paid.

    Source: https://docs.stripe.com/error-codes#payment-intent-unexpected-state
    """
    status = intent["status"]
    if status == "succeeded":
        message = (
            "You cannot confirm this PaymentIntent because it has already succeeded after being previously confirmed."
        )
        raise unexpected_state(message, intent)
    if status not in CONFIRMABLE:
        message = (
            f"You cannot confirm this PaymentIntent because it has a status of {status}. Only a PaymentIntent with one "
            "of the following statuses may be confirmed: requires_confirmation, requires_action."
        )
        raise unexpected_state(message, intent)


def pay(call: Call, intent: JSON) -> JSON:
    """Charge the attached payment method; record a declined card, then raise its 402.

    Source: https://docs.stripe.com/payments/paymentintents/lifecycle
    """
    if intent["payment_method"] is None:
        message = (
            "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update the "
            "PaymentIntent with a payment method and then confirm it again, or confirm it again directly with a "
            "payment method or ConfirmationToken."
        )
        raise unexpected_state(message, intent)
    method = call.find("payment_method", intent["payment_method"], "payment_method")
    payment_methods.check_owner(method, intent)
    accounts.check_capabilities(call, intent)
    instrument, off_session = payment_methods.behaviour(call, method), is_off_session(call)
    if instrument.three_d_secure:
        if not off_session:
            return _ask_for_authentication(call, intent)
        if not payment_methods.is_set_up(call, method):
            return _charge(call, intent, method, cards.AUTHENTICATION, authenticated=False)
    if instrument.processing:
        return _start_processing(call, intent, method)
    return _charge(call, intent, method, instrument.decline, authenticated=False)


def is_off_session(call: Call) -> bool:
    """Return whether the call charges a customer who is not there to authenticate.

    Source: https://docs.stripe.com/payments/save-and-reuse (charge the saved payment method later)
    """
    value = call.params.get("off_session", "false")
    if value not in ("false", *OFF_SESSION):
        raise StripeError("Invalid off_session", param="off_session")
    if value != "false" and call.publishable:
        message = "The parameter `off_session` cannot be used with a publishable API key."
        raise StripeError(message, param="off_session")
    return bool(value != "false")


def authenticate(call: Call, intent: JSON, *, succeed: bool) -> JSON:
    """Finish 3-D Secure as the customer would on the bank's page. A later decline is recorded, not raised.

    Source: https://docs.stripe.com/payments/3d-secure/authentication-flow
    """
    method = call.find("payment_method", intent["payment_method"], "payment_method")
    if succeed:
        try:
            return _charge(call, intent, method, payment_methods.behaviour(call, method).decline, authenticated=True)
        except StripeError:
            return call.find("payment_intent", intent["id"], "intent")
    error = {
        "code": "payment_intent_authentication_failure",
        "doc_url": "https://docs.stripe.com/error-codes/payment-intent-authentication-failure",
        "message": FAILED_AUTHENTICATION,
        "payment_method": method,
        "type": "invalid_request_error",
    }
    _fail(call, intent, error)
    return intent


def settle(call: Call, intent: JSON, *, succeed: bool) -> JSON:
    """Finish a `processing` intent as the customer's bank would days later.

    Source: https://docs.stripe.com/payments/ach-direct-debit
    """
    charge = call.find("charge", intent["latest_charge"], "charge")
    method = call.find("payment_method", intent["payment_method"], "payment_method")
    if succeed:
        charge |= {"status": "succeeded", "paid": True, "captured": True, "amount_captured": charge["amount"]}
        _succeed(call, intent, charge, method)
        return intent
    decline = cards.NO_FUNDS
    charge |= {"status": "failed", "failure_code": decline.code, "failure_message": decline.message}
    call.store.save(charge)
    call.announce("charge.failed", charge)
    _fail(call, intent, _error_of(decline, charge, method))
    return intent


def _ask_for_authentication(call: Call, intent: JSON) -> JSON:
    return_url, action = payment_methods.authentication(call, intent)
    intent |= {"status": "requires_action", "next_action": action, "last_payment_error": None}
    call.store.save(intent, {"return_url": return_url})
    call.announce("payment_intent.requires_action", intent)
    return intent


def _start_processing(call: Call, intent: JSON, method: JSON) -> JSON:
    charge = charges.charge(intent, method, status="pending")
    call.store.add(charge)
    call.announce("charge.pending", charge)
    intent |= {
        "status": "processing",
        "latest_charge": charge["id"],
        "next_action": None,
        "last_payment_error": None,
    }
    call.store.save(intent)
    call.announce("payment_intent.processing", intent)
    return intent


def _charge(call: Call, intent: JSON, method: JSON, decline: Decline | None, *, authenticated: bool) -> JSON:
    status = "failed" if decline else "succeeded"
    charge = charges.charge(intent, method, status=status, authenticated=authenticated)
    if decline is None:
        call.store.add(charge)
        _succeed(call, intent, charge, method, authenticated=authenticated)
        return intent
    charge |= {
        "failure_code": decline.code,
        "failure_message": decline.message,
        "outcome": charges.declined_outcome(decline.decline_code),
    }
    call.store.add(charge)
    call.announce("charge.failed", charge)
    error = _error_of(decline, charge, method)
    _fail(call, intent, error, latest_charge=charge["id"])
    fields = {name: value for name, value in error.items() if name not in ("type", "code", "message", "doc_url")}
    raise StripeError(
        decline.message,
        status=402,
        type_="card_error",
        code=decline.code,
        saved=True,
        keeps_changes=True,
        payment_intent=intent,
        **fields,
    )


def _succeed(call: Call, intent: JSON, charge: JSON, method: JSON, *, authenticated: bool = False) -> None:
    if intent["setup_future_usage"] and intent["customer"]:
        payment_methods.save_for(call, method, intent["customer"], authenticated=authenticated)
    payment_methods.mark_used(call, method)
    transfers.record_charge(call, intent, charge)
    call.announce("charge.succeeded", charge)
    intent |= {
        "status": "succeeded",
        "amount_received": charge["amount"],
        "latest_charge": charge["id"],
        "last_payment_error": None,
        "next_action": None,
        "processing": None,
    }
    call.store.save(intent)
    call.announce("payment_intent.succeeded", intent)
    if reason := payment_methods.behaviour(call, method).dispute:
        disputes.open_dispute(call, charge, reason=reason)


def _fail(call: Call, intent: JSON, error: JSON, **more: str) -> None:
    intent |= {
        "status": "requires_payment_method",
        "payment_method": None,
        "last_payment_error": error,
        "next_action": None,
        "processing": None,
        **more,
    }
    call.store.save(intent)
    call.announce("payment_intent.payment_failed", intent)


def _error_of(decline: Decline, charge: JSON, method: JSON) -> JSON:
    return {
        "advice_code": "try_again_later" if decline is cards.NO_FUNDS else "do_not_try_again",
        "charge": charge["id"],
        "code": decline.code,
        "decline_code": decline.decline_code,
        "doc_url": "https://docs.stripe.com/error-codes/" + decline.code.replace("_", "-"),
        "message": decline.message,
        "payment_method": method,
        "type": "card_error",
    }
