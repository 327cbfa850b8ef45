"""SetupIntents: save a payment method for later, with 3-D Secure now instead of at the charge.

Source: https://docs.stripe.com/payments/setupintents/lifecycle and https://docs.stripe.com/api/setup_intents
"""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any

from stripe_double import customers, intents, objects, params, payment_methods
from stripe_double.errors import StripeError, missing_param

if TYPE_CHECKING:
    from stripe_double.call import Call

JSON = dict[str, Any]

UNFINISHED = ("requires_payment_method", "requires_confirmation", "requires_action")
REASONS = ("abandoned", "duplicate", "requested_by_customer")
USAGES = ("off_session", "on_session")
CONFIRMING = ("payment_method", "payment_method_data", "return_url", "use_stripe_sdk")
# What Stripe shows to a holder of the client secret alone.
# Source: https://docs.stripe.com/api/setup_intents/retrieve
PUBLIC = (
    "id", "object", "automatic_payment_methods", "cancellation_reason", "client_secret", "created", "description",
    "last_setup_error", "livemode", "next_action", "payment_method", "payment_method_types", "status", "usage",
)  # fmt: skip
FAILED_AUTHENTICATION = (
    "The latest attempt to set up the payment method has failed because authentication failed. You can provide "
    "payment_method_data or a new PaymentMethod to attempt to fulfill this SetupIntent again."
)


def create(call: Call, _: str = "") -> JSON:
    """Create a SetupIntent and, with `confirm`, save the payment method at once.

    Source: https://docs.stripe.com/api/setup_intents/create
    """
    given = call.params
    params.only(
        given,
        *("allowed_payment_method_types", "automatic_payment_methods", "confirm", "customer", "description"),
        *("metadata", "payment_method_types", "usage", *CONFIRMING),
    )
    automatic, methods = intents.payment_methods_for(call, "usd")
    usage = params.text(given, "usage") or "off_session"
    if usage not in USAGES:
        raise StripeError(f"Invalid usage: must be one of {' or '.join(USAGES)}", param="usage")
    intent = _setup_intent(methods, automatic, usage)
    intent |= {
        "customer": customers.requested_id(call),
        "description": params.text(given, "description"),
        "metadata": params.metadata(given, {}),
    }
    _attach(call, intent)
    call.store.add(intent)
    call.announce("setup_intent.created", intent)
    return _save(call, intent) if params.boolean(given, "confirm") else intent


def retrieve(call: Call, intent_id: str) -> JSON:
    """Return a SetupIntent; with a publishable key only with its client secret, and only its public part."""
    params.only(call.params, "client_secret")
    return _visible(call, _find(call, intent_id))


def update(call: Call, intent_id: str) -> JSON:
    """Change an unfinished SetupIntent; description and metadata may change at any time.

    Source: https://docs.stripe.com/api/setup_intents/update
    """
    given = call.params
    params.only(given, "customer", "description", "metadata", "payment_method", "payment_method_data")
    intent = _find(call, intent_id)
    if intent["status"] not in UNFINISHED and set(given) - {"description", "metadata"}:
        message = f"This SetupIntent could not be updated because it has a status of {intent['status']}."
        raise _unexpected_state(message, intent)
    if "customer" in given:
        intent["customer"] = customers.requested_id(call)
    if "description" in given:
        intent["description"] = params.text(given, "description")
    intent["metadata"] = params.metadata(given, intent["metadata"])
    _attach(call, intent)
    call.store.save(intent)
    return intent


def confirm(call: Call, intent_id: str) -> JSON:
    """Save the payment method, as a server does with its secret key or Stripe.js with the client secret.

    Source: https://docs.stripe.com/api/setup_intents/confirm
    """
    params.only(call.params, "client_secret", *CONFIRMING)
    intent = _find(call, intent_id)
    if intent["status"] not in UNFINISHED:
        message = (
            "You cannot confirm this SetupIntent because it has already succeeded."
            if intent["status"] == "succeeded"
            else f"You cannot confirm this SetupIntent because it has a status of {intent['status']}."
        )
        raise _unexpected_state(message, intent)
    _attach(call, intent)
    return _visible(call, _save(call, intent))


def cancel(call: Call, intent_id: str) -> JSON:
    """Cancel a SetupIntent that has not saved anything.

    Source: https://docs.stripe.com/api/setup_intents/cancel
    """
    params.only(call.params, "cancellation_reason")
    intent = _find(call, intent_id)
    reason = params.one_of(call.params, "cancellation_reason", REASONS)
    if intent["status"] not in UNFINISHED:
        message = (
            f"You cannot cancel this SetupIntent because it has a status of {intent['status']}. Only a SetupIntent "
            f"with one of the following statuses may be canceled: {', '.join(UNFINISHED)}."
        )
        raise _unexpected_state(message, intent)
    intent |= {"status": "canceled", "cancellation_reason": reason, "next_action": None}
    call.store.save(intent)
    call.announce("setup_intent.canceled", intent)
    return intent


def authenticate(call: Call, intent: JSON, *, succeed: bool) -> JSON:
    """Finish 3-D Secure as the customer would on the bank's page. A later decline is recorded, not raised.

    Source: https://docs.stripe.com/payments/3d-secure/authentication-flow
    """
    method = call.find("payment_method", intent["payment_method"], "payment_method")
    if not succeed:
        error = {
            "code": "setup_intent_authentication_failure",
            "doc_url": "https://docs.stripe.com/error-codes/setup-intent-authentication-failure",
            "message": FAILED_AUTHENTICATION,
            "payment_method": method,
            "type": "invalid_request_error",
        }
        _fail(call, intent, error)
        return intent
    try:
        return _finish(call, intent, method, authenticated=True)
    except StripeError:
        return call.find("setup_intent", intent["id"], "intent")


def _attach(call: Call, intent: JSON) -> None:
    method = payment_methods.requested_method(call, intent)
    if method is not None:
        intent |= {"payment_method": method["id"], "status": "requires_confirmation", "next_action": None}


def _save(call: Call, intent: JSON) -> JSON:
    if intent["payment_method"] is None:
        message = (
            "You cannot confirm this SetupIntent because it's missing a payment method. You can either update the "
            "SetupIntent with a payment method and then confirm it again, or confirm it again directly with a "
            "payment method."
        )
        raise _unexpected_state(message, intent)
    method = call.find("payment_method", intent["payment_method"], "payment_method")
    payment_methods.check_owner(method, intent)
    if not payment_methods.behaviour(call, method).three_d_secure:
        return _finish(call, intent, method, authenticated=False)
    return_url, action = payment_methods.authentication(call, intent)
    intent |= {"status": "requires_action", "next_action": action, "last_setup_error": None}
    call.store.save(intent, {"return_url": return_url})
    call.announce("setup_intent.requires_action", intent)
    return intent


def _finish(call: Call, intent: JSON, method: JSON, *, authenticated: bool) -> JSON:
    decline = payment_methods.declined_when_saved(payment_methods.behaviour(call, method))
    if decline is not None:
        error = payment_methods.refused(decline, payment_method=method)
        _fail(call, intent, error.fields | {})
        raise payment_methods.refused(decline, keeps_changes=True, payment_method=method, setup_intent=intent)
    if intent["customer"]:
        payment_methods.save_for(call, method, intent["customer"], authenticated=authenticated)
    intent |= {"status": "succeeded", "last_setup_error": None, "next_action": None}
    call.store.save(intent)
    call.announce("setup_intent.succeeded", intent)
    return intent


def _fail(call: Call, intent: JSON, error: JSON) -> None:
    intent |= {
        "status": "requires_payment_method",
        "payment_method": None,
        "last_setup_error": error,
        "next_action": None,
    }
    call.store.save(intent)
    call.announce("setup_intent.setup_failed", intent)


def _find(call: Call, intent_id: str) -> JSON:
    intent = call.find("setup_intent", intent_id, "intent")
    secret = call.params.get("client_secret")
    if secret is None and call.publishable:
        raise missing_param("client_secret")
    if secret is not None and not secrets.compare_digest(str(secret).encode(), intent["client_secret"].encode()):
        message = "The client_secret provided does not match the client_secret associated with the SetupIntent."
        raise StripeError(message, code="setup_intent_invalid_parameter", param="client_secret")
    return intent


def _visible(call: Call, intent: JSON) -> JSON:
    return {name: intent[name] for name in PUBLIC} if call.publishable else intent


def _unexpected_state(message: str, intent: JSON) -> StripeError:
    return StripeError(message, code="setup_intent_unexpected_state", setup_intent=intent, saved=True)


def _setup_intent(methods: list[str], automatic: JSON | None, usage: str) -> JSON:
    intent_id = objects.new_id("seti")
    return {
        "id": intent_id,
        "object": "setup_intent",
        "application": None,
        "automatic_payment_methods": automatic,
        "cancellation_reason": None,
        "client_secret": intent_id + objects.new_id("_secret", 31),
        "created": int(time.time()),
        "customer": None,
        "customer_account": None,
        "description": None,
        "excluded_payment_method_types": None,
        "flow_directions": None,
        "last_setup_error": None,
        "latest_attempt": None,
        "livemode": False,
        "mandate": None,
        "metadata": {},
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {
            name: {"mandate_options": None, "network": None, "request_three_d_secure": "automatic"}
            for name in methods
            if name == "card"
        },
        "payment_method_types": methods,
        "single_use_mandate": None,
        "status": "requires_payment_method",
        "usage": usage,
    }
