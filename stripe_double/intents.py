"""PaymentIntents: create, read, update, cancel. Paying one is in `confirm.py`.

Source: https://docs.stripe.com/payments/paymentintents/lifecycle and https://docs.stripe.com/api/payment_intents
"""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any

from stripe_double import accounts, confirm, customers, objects, params
from stripe_double.errors import StripeError, missing_param, unexpected_state

if TYPE_CHECKING:
    from stripe_double.call import Call

JSON = dict[str, Any]

PAYABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
CANCELABLE = (
    "requires_payment_method",
    "requires_capture",
    "requires_confirmation",
    "requires_action",
    "processing",
)
REASONS = ("duplicate", "fraudulent", "requested_by_customer", "abandoned")
DETAILS = (
    "description",
    "receipt_email",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_group",
)
CHANGEABLE = (
    "amount",
    "application_fee_amount",
    "currency",
    "customer",
    "metadata",
    "payment_method",
    "payment_method_data",
    "setup_future_usage",
    *DETAILS,
)
ONLY_AT_CREATION = (
    "automatic_payment_methods",
    "confirm",
    "on_behalf_of",
    "payment_method_types",
    "transfer_data",
    *confirm.PARAMS,
)
WHILE_PAYABLE = (
    "amount",
    "application_fee_amount",
    "currency",
    "customer",
    "payment_method",
    "payment_method_data",
    "setup_future_usage",
)
USAGES = ("on_session", "off_session")
# What Stripe shows to a holder of the client secret alone: no metadata, no charge.
# Source: https://docs.stripe.com/api/payment_intents/retrieve
PUBLIC = (
    "id", "object", "amount", "amount_details", "automatic_payment_methods", "canceled_at", "cancellation_reason",
    "capture_method", "client_secret", "confirmation_method", "created", "currency", "description",
    "last_payment_error", "livemode", "next_action", "payment_method", "payment_method_types", "processing",
    "receipt_email", "setup_future_usage", "shipping", "source", "status",
)  # fmt: skip


def create(call: Call, _: str = "") -> JSON:
    """Create an intent and, with `confirm`, pay it at once.

    Source: https://docs.stripe.com/api/payment_intents/create
    """
    given = call.params
    params.only(given, *CHANGEABLE, *ONLY_AT_CREATION)
    currency = params.currency(given)
    amount = params.amount(given, currency)
    automatic, methods = payment_methods_for(call, currency)
    intent = objects.payment_intent(amount, currency, methods, automatic=automatic)
    _describe(call, intent)
    accounts.connect(call, intent)
    confirm.attach(call, intent)
    confirming = params.boolean(given, "confirm")
    if confirm.is_off_session(call) and not confirming:
        message = "The `off_session` parameter can only be passed in when `confirm` is set to true."
        raise StripeError(message, param="off_session")
    call.store.add(intent)
    call.announce("payment_intent.created", intent)
    return confirm.pay(call, intent) if confirming else intent


def retrieve(call: Call, intent_id: str) -> JSON:
    """Return an intent; with a publishable key only with its client secret, and only its public part."""
    params.only(call.params, "client_secret")
    return visible(call, find(call, intent_id))


def update(call: Call, intent_id: str) -> JSON:
    """Change a payable intent; descriptions and metadata may change at any time.

    Source: https://docs.stripe.com/api/payment_intents/update
    """
    given = call.params
    params.only(given, *CHANGEABLE)
    intent = find(call, intent_id)
    for name in WHILE_PAYABLE:
        if name in given and intent["status"] not in PAYABLE:
            message = (
                f"This PaymentIntent's {name} could not be updated because it has a status of {intent['status']}. "
                f"You may only update the {name} of a PaymentIntent with one of the following statuses: "
                f"{', '.join(PAYABLE)}."
            )
            raise unexpected_state(message, intent)
    if "currency" in given:
        intent["currency"] = params.currency(given)
    if "amount" in given or "currency" in given:
        intent["amount"] = params.amount({"amount": str(intent["amount"])} | given, intent["currency"])
        if intent["status"] == "requires_action":  # the customer approved another amount
            intent |= {"status": "requires_confirmation", "next_action": None}
    _describe(call, intent)
    accounts.connect(call, intent)
    confirm.attach(call, intent)
    call.store.save(intent)
    return intent


def cancel(call: Call, intent_id: str) -> JSON:
    """Cancel an intent that has not been paid.

    Source: https://docs.stripe.com/api/payment_intents/cancel
    """
    params.only(call.params, "cancellation_reason")
    intent = find(call, intent_id)
    reason = params.one_of(call.params, "cancellation_reason", REASONS)
    if intent["status"] not in CANCELABLE:
        message = (
            f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}. Only a PaymentIntent "
            f"with one of the following statuses may be canceled: {', '.join(CANCELABLE)}."
        )
        raise unexpected_state(message, intent)
    intent |= {
        "status": "canceled",
        "canceled_at": int(time.time()),
        "cancellation_reason": reason,
        "next_action": None,
        "processing": None,
    }
    call.store.save(intent)
    call.announce("payment_intent.canceled", intent)
    return intent


def confirmed(call: Call, intent_id: str) -> JSON:
    """Pay an intent, as a server does with its secret key or Stripe.js with the client secret.

    Source: https://docs.stripe.com/api/payment_intents/confirm
    """
    params.only(
        call.params,
        "client_secret",
        "payment_method",
        "payment_method_data",
        "receipt_email",
        "setup_future_usage",
        *confirm.PARAMS,
    )
    intent = find(call, intent_id)
    confirm.check_confirmable(intent)
    _describe(call, intent)
    confirm.attach(call, intent)
    return visible(call, confirm.pay(call, intent))


def find(call: Call, intent_id: str) -> JSON:
    """Return the stored intent; a publishable key must come with the client secret.

    Source: https://docs.stripe.com/payments/payment-intents#passing-to-client
    """
    intent = call.find("payment_intent", intent_id, "intent")
    secret = call.params.get("client_secret")
    if secret is None and call.publishable:
        raise missing_param("client_secret")
    if secret is not None and not secrets.compare_digest(str(secret).encode(), intent["client_secret"].encode()):
        message = "The client_secret provided does not match any associated payment_intent on this account"
        raise StripeError(message, code="payment_intent_invalid_parameter", param="client_secret")
    return intent


def visible(call: Call, intent: JSON) -> JSON:
    """Return what the key of this call may see of an intent."""
    return {name: intent[name] for name in PUBLIC} if call.publishable else intent


def payment_methods_for(call: Call, currency: str) -> tuple[JSON | None, list[str]]:
    """Return the automatic payment methods and the accepted types of an intent of this call."""
    automatic, types = call.params.get("automatic_payment_methods"), call.params.get("payment_method_types")
    if automatic is not None and types is not None:
        message = "You may only specify one of these parameters: automatic_payment_methods, payment_method_types."
        raise StripeError(message, param="automatic_payment_methods")
    if types is not None:
        if not isinstance(types, list) or not set(types) <= {"card", "us_bank_account"}:
            message = "The payment method types of the double are 'card' and 'us_bank_account'."
            raise StripeError(message, param="payment_method_types")
        return None, types
    offered = ["card", "us_bank_account"] if currency == "usd" else ["card"]
    if "allowed_payment_method_types" in call.params:
        allowed = call.params["allowed_payment_method_types"]
        offered = [name for name in offered if isinstance(allowed, list) and name in allowed]
        if not offered:
            message = "No payment method types of allowed_payment_method_types are available; the double has 'card'."
            raise StripeError(message, param="allowed_payment_method_types")
    if automatic is None:  # the default since API version 2023-08-16
        return {"allow_redirects": "always", "enabled": True}, offered
    if not isinstance(automatic, dict) or automatic.get("allow_redirects", "always") not in (
        "always",
        "never",
    ):
        message = "Invalid automatic_payment_methods"
        raise StripeError(message, param="automatic_payment_methods")
    enabled = params.boolean(automatic, "enabled")
    redirects = automatic.get("allow_redirects", "always")
    return {"allow_redirects": redirects, "enabled": enabled}, offered if enabled else ["card"]


def _describe(call: Call, intent: JSON) -> None:
    given = call.params
    for name in DETAILS:
        if name in given:
            intent[name] = params.text(given, name)
    email = intent["receipt_email"]
    if email is not None and "@" not in email:
        raise StripeError(f"Invalid email address: {email}", code="email_invalid", param="receipt_email")
    intent["metadata"] = params.metadata(given, intent["metadata"])
    if "customer" in given:
        intent["customer"] = customers.requested_id(call)
    if "setup_future_usage" in given:
        intent["setup_future_usage"] = usage = params.text(given, "setup_future_usage")
        if usage not in (None, *USAGES):
            message = f"Invalid setup_future_usage: must be one of {' or '.join(USAGES)}"
            raise StripeError(message, param="setup_future_usage")
