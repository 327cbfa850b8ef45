"""Payment methods: which one a call names, and the ones a customer has saved.

Source: https://docs.stripe.com/api/payment_methods and https://docs.stripe.com/payments/save-and-reuse
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stripe_double import cards, objects, params, reads
from stripe_double.errors import StripeError, missing_param, missing_resource

if TYPE_CHECKING:
    from stripe_double.call import Call
    from stripe_double.cards import Decline, Instrument

JSON = dict[str, Any]

NAMES = {"payment_intent": "PaymentIntent", "setup_intent": "SetupIntent"}
SPENT = (
    "The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment, shared with a "
    "connected account without Customer attachment, or was detached from a Customer. It may not be used again. To use "
    "a PaymentMethod multiple times, you must attach it to a Customer first."
)


def attach(call: Call, method_id: str) -> JSON:
    """Save a payment method for a customer; a card its bank refuses is a 402, as at Stripe.

    Source: https://docs.stripe.com/api/payment_methods/attach
    """
    given = call.params
    params.only(given, "customer")
    customer = params.text(given, "customer")
    if customer is None:
        raise missing_param("customer")
    call.find("customer", customer, "customer")
    method = _named(call, method_id)
    if method["customer"] is not None:
        message = "The payment method you provided has already been attached to a customer."
        raise StripeError(message, code="payment_method_unexpected_state", payment_method=method)
    decline = declined_when_saved(behaviour(call, method))
    if decline:
        raise refused(decline)
    save_for(call, method, customer)
    return method


def detach(call: Call, method_id: str) -> JSON:
    """Detach a payment method from its customer permanently.

    Source: https://docs.stripe.com/api/payment_methods/detach
    """
    params.only(call.params)
    method = call.find("payment_method", method_id, "payment_method")
    customer = method["customer"]
    if customer is None:
        message = "The payment method you provided is not attached to a customer so detachment is impossible."
        raise StripeError(message, code="payment_method_unexpected_state", payment_method=method)
    method["customer"] = None
    call.store.save(method, call.store.private(method_id) | {"spent": True})
    call.announce("payment_method.detached", method, {"customer": customer})
    return method


def saved(call: Call, _: str = "") -> JSON:
    """List the saved payment methods of the `customer` the call names.

    Source: https://docs.stripe.com/api/payment_methods/list
    """
    customer = params.text(call.params, "customer")
    if customer is None:
        raise missing_param("customer")
    call.find("customer", customer, "customer")
    return reads.page(call, "payment_methods")


def saved_by(call: Call, customer: str) -> JSON:
    """List the saved payment methods of a customer.

    Source: https://docs.stripe.com/api/payment_methods/customer_list
    """
    params.only(call.params, "type", "limit", "starting_after", "ending_before")
    call.params["customer"] = customer
    return saved(call) | {"url": f"/v1/customers/{customer}/payment_methods"}


def requested_method(call: Call, intent: JSON) -> JSON | None:
    """Return the payment method that the call gives a PaymentIntent or SetupIntent, if it names one.

    A saved one works only with its own customer; a used or detached one cannot be used.
    Source: https://docs.stripe.com/api/payment_intents/confirm
    """
    name, data = params.text(call.params, "payment_method"), call.params.get("payment_method_data")
    if data is not None:
        instrument, card = cards.from_data(data)
        billing = data.get("billing_details")
        method = _new(call, instrument, card, billing if isinstance(billing, dict) else {})
    elif name is None:
        return None
    else:
        method = _named(call, name)
    kind = NAMES[intent["object"]]
    if method["type"] not in intent["payment_method_types"]:
        message = f"The PaymentMethod provided ({method['type']}) is not allowed for this {kind}."
        raise StripeError(message, param="payment_method")
    check_owner(method, intent)
    return method


def check_owner(method: JSON, intent: JSON) -> None:
    """Raise Stripe's 400 when the payment method belongs to a customer who is not the intent's."""
    owner, kind = method["customer"], NAMES[intent["object"]]
    if owner is None or owner == intent["customer"]:
        return
    if intent["customer"] is None:
        message = (
            f"The `payment_method` parameter supplied {method['id']} belongs to the Customer {owner}. Please include "
            f"the Customer in the `customer` parameter on the {kind}."
        )
        raise StripeError(message, code="parameter_missing", param="customer")
    message = (
        f"The customer does not have a payment method with the ID {method['id']}. The payment method must be attached "
        "to the customer."
    )
    raise StripeError(message, code="resource_missing", param="payment_method")


def authentication(call: Call, intent: JSON) -> tuple[str | None, JSON]:
    """Return the call's `return_url` and the `next_action` that sends the customer to the bank's page.

    Source: https://docs.stripe.com/api/payment_intents/object#payment_intent_object-next_action
    """
    url = f"{call.base_url}/_double/{intent['object']}s/{intent['id']}/authenticate"
    return_url = params.web_url(call.params, "return_url")
    if return_url and not params.boolean(call.params, "use_stripe_sdk"):
        return return_url, {"type": "redirect_to_url", "redirect_to_url": {"return_url": return_url, "url": url}}
    sdk = {"type": "three_d_secure_redirect", "stripe_js": url, "source": objects.new_id("src")}
    return return_url, {"type": "use_stripe_sdk", "use_stripe_sdk": sdk}


def save_for(call: Call, method: JSON, customer: str, *, authenticated: bool = False) -> None:
    """Attach a payment method to a customer, if it is not yet, and record that the customer authenticated it."""
    if authenticated:
        call.store.save(method, call.store.private(method["id"]) | {"set_up": True})
    if method["customer"] is None:
        method["customer"] = customer
        call.store.save(method)
        call.announce("payment_method.attached", method)


def mark_used(call: Call, method: JSON) -> None:
    """Record that a payment method was charged: unless saved, it cannot be used again."""
    if method["customer"] is None:
        call.store.save(method, call.store.private(method["id"]) | {"spent": True})


def behaviour(call: Call, method: JSON) -> Instrument:
    """Return how the card or account behind a payment method behaves."""
    return cards.from_fingerprint(call.store.private(method["id"])["fingerprint"])


def is_set_up(call: Call, method: JSON) -> bool:
    """Return whether a card that asks for 3-D Secure was authenticated for off-session charges."""
    return behaviour(call, method).set_up_once and bool(call.store.private(method["id"]).get("set_up"))


def declined_when_saved(instrument: Instrument) -> Decline | None:
    """Return why a bank refuses to have a card saved, or None."""
    return None if instrument.saves else instrument.decline


def refused(decline: Decline, **more: Any) -> StripeError:
    """Return the 402 of a card that its bank refuses; `more` are fields to add, such as the intent."""
    return StripeError(
        decline.message,
        status=402,
        type_="card_error",
        code=decline.code,
        saved=True,
        decline_code=decline.decline_code,
        **more,
    )


def _named(call: Call, name: str) -> JSON:
    instrument = cards.from_name(name)
    if instrument is not None:
        return _new(call, instrument, {}, {})
    method = call.store.get("payment_method", name)
    if method is None:
        raise missing_resource("PaymentMethod", name, "payment_method")
    if call.store.private(name).get("spent"):
        raise StripeError(SPENT, param="payment_method")
    return method


def _new(call: Call, instrument: Instrument, card: JSON, billing: JSON) -> JSON:
    # Only the known fields of the billing hash; other keys must not appear in a response.
    named = {key: billing.get(key) or None for key in ("email", "name", "phone")}
    method = objects.payment_method(instrument, card, named)
    call.store.add(method, {"fingerprint": instrument.fingerprint})
    return method
