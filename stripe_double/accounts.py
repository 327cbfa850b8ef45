"""Connected accounts: who receives money from the platform, and what an intent or a transfer requires of them.

Onboarding is in `onboarding.py`. Source: https://docs.stripe.com/api/accounts and https://docs.stripe.com/connect
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from stripe_double import currencies, params
from stripe_double.account_shapes import CURRENCIES, EMPTY_REQUIREMENTS, account
from stripe_double.errors import StripeError, missing_param, missing_resource

if TYPE_CHECKING:
    from stripe_double.call import Call
    from stripe_double.forms import Params

JSON = dict[str, Any]

TYPES = ("express", "standard", "custom")
BUSINESS_TYPES = ("company", "government_entity", "individual", "non_profit")
CAPABILITIES = ("card_payments", "transfers")
NO_TRANSFERS = (
    "Your destination account needs to have at least one of the following capabilities enabled: transfers, "
    "crypto_transfers, legacy_payments"
)
EMPTY = "The transfer reversal could not be completed because the account does not have a sufficient balance available."
NO_DESTINATION = (
    "Can only apply an application_fee_amount when the PaymentIntent is attempting a direct payment (using an OAuth "
    "key or Stripe-Account header) or destination payment (using `transfer_data[destination]`)."
)


def create(call: Call, _: str = "") -> JSON:
    """Create a connected account that has yet to be onboarded.

    Source: https://docs.stripe.com/api/accounts/create
    """
    given = call.params
    params.only(
        given,
        *("business_type", "capabilities", "controller", "country", "default_currency", "email", "metadata", "type"),
    )
    type_ = params.one_of(given, "type", TYPES)
    if type_ is not None and "controller" in given:
        message = "You may only specify one of these parameters: type, controller."
        raise StripeError(message, param="type")
    country = params.text(given, "country") or "US"
    if country not in CURRENCIES:
        message = f"Country '{country}' is unknown to the double, which has {', '.join(sorted(CURRENCIES))}."
        raise StripeError(message, code="country_unsupported", param="country")
    made = account(type_, _controller(given), country)
    _describe(call, made)
    call.store.add(made)
    # Stripe announces no creation by the platform itself; the first account.updated comes with the onboarding.
    return made


def update(call: Call, account_id: str) -> JSON:
    """Change an account's metadata, email, business type or requested capabilities.

    Source: https://docs.stripe.com/api/accounts/update
    """
    params.only(call.params, "business_type", "capabilities", "default_currency", "email", "metadata")
    found = call.find("account", account_id, "account")
    before = found | {}
    _describe(call, found)
    call.store.save(found)
    _announce(call, found, before)
    return found


def onboard(call: Call, found: JSON) -> None:
    """Finish an account's onboarding: what it asked for is active, nothing is due."""
    before = found | {}
    found |= {
        "details_submitted": True,
        "charges_enabled": True,
        "payouts_enabled": True,
        "capabilities": dict.fromkeys(found["capabilities"], "active"),
        "requirements": EMPTY_REQUIREMENTS,
        "tos_acceptance": found["tos_acceptance"] | {"date": int(time.time())},
    }
    call.store.save(found)
    _announce(call, found, before)


def switch(call: Call, found: JSON, changes: JSON) -> None:
    """Set an account's flags as Stripe's risk team would. Capabilities are active while charges are enabled.

    `changes` has booleans under `charges_enabled`, `payouts_enabled` and `details_submitted`, and text or None
    under `disabled_reason`. `empty`: the account has paid its whole balance out to its bank.
    """
    before, private = found | {}, {"empty": changes["empty"]} if "empty" in changes else None
    found |= {name: value for name, value in changes.items() if name not in {"disabled_reason", "empty"}}
    if "charges_enabled" in changes:
        state = "active" if changes["charges_enabled"] else "inactive"
        found["capabilities"] = dict.fromkeys(found["capabilities"], state)
    if "disabled_reason" in changes:
        found["requirements"] = found["requirements"] | {"disabled_reason": changes["disabled_reason"]}
    call.store.save(found, private)
    _announce(call, found, before)


def connect(call: Call, intent: JSON) -> None:
    """Set the destination and the application fee of a PaymentIntent. The caller saves it.

    Source: https://docs.stripe.com/connect/destination-charges
    """
    given = call.params
    if "transfer_data" in given:
        asked = given["transfer_data"]
        if not isinstance(asked, dict) or not isinstance(asked.get("destination"), str):
            raise missing_param("transfer_data[destination]")
        for name in asked:
            if name != "destination":
                message = f"Received unknown parameter: transfer_data[{name}]"
                raise StripeError(message, code="parameter_unknown", param=f"transfer_data[{name}]")
        destination(call, asked["destination"], "transfer_data[destination]")
        intent["transfer_data"] = {"destination": asked["destination"]}
    if "on_behalf_of" in given:
        name = params.text(given, "on_behalf_of")
        if name is not None and call.store.get("account", name) is None:
            raise missing_resource("on_behalf_of", name, "on_behalf_of")
        intent["on_behalf_of"] = name
    fee = params.integer(given, "application_fee_amount", 0)
    if fee is not None:
        if intent["transfer_data"] is None:
            raise StripeError(NO_DESTINATION, param="application_fee_amount")
        intent["application_fee_amount"] = fee or None
    if (intent["application_fee_amount"] or 0) > intent["amount"]:
        most = currencies.format_amount(intent["amount"], intent["currency"])
        message = f"Your application fee must be less than or equal to the amount of the payment ({most})."
        raise StripeError(message, param="application_fee_amount")


def check_capabilities(call: Call, intent: JSON) -> None:
    """Raise Stripe's 400 when the destination can no longer be paid."""
    if intent["transfer_data"]:
        destination(call, intent["transfer_data"]["destination"], "transfer_data[destination]")


def destination(call: Call, account_id: str, param: str) -> JSON:
    """Return the account money goes to; 404 when there is none, 400 when its `transfers` capability is not active.

    Source: https://docs.stripe.com/error-codes#insufficient-capabilities-for-transfer
    """
    found = call.store.get("account", account_id)
    if found is None:
        raise missing_resource("destination", account_id, param)
    if found["capabilities"].get("transfers") != "active":
        raise StripeError(NO_TRANSFERS, code="insufficient_capabilities_for_transfer", saved=True)
    return found


def check_balance(call: Call, account_id: str) -> None:
    """Raise Stripe's 400 when an account is empty, so that nothing can be taken back from it.

    Source: https://docs.stripe.com/connect/separate-charges-and-transfers#reverse-transfers
    """
    if call.store.private(account_id).get("empty"):
        raise StripeError(EMPTY, code="balance_insufficient", saved=True)


def _announce(call: Call, found: JSON, before: JSON) -> None:
    previous = {name: before[name] for name in before if before[name] != found[name]}
    if previous:
        call.announce("account.updated", found, previous, account=found["id"])


def _describe(call: Call, found: JSON) -> None:
    given = call.params
    for name in ("business_type", "email"):
        if name in given:
            found[name] = params.text(given, name)
    if found["business_type"] not in (None, *BUSINESS_TYPES):
        message = f"Invalid business_type: must be one of {', '.join(BUSINESS_TYPES)}"
        raise StripeError(message, param="business_type")
    if found["email"] is not None and "@" not in found["email"]:
        raise StripeError(f"Invalid email address: {found['email']}", code="email_invalid", param="email")
    if "default_currency" in given:
        found["default_currency"] = params.currency({"currency": given["default_currency"]})
    found["metadata"] = params.metadata(given, found["metadata"])
    state = "active" if found["details_submitted"] else "inactive"
    found["capabilities"] = dict.fromkeys(_requested(given), state) | found["capabilities"]


def _requested(given: Params) -> list[str]:
    asked = given.get("capabilities", {})
    if not isinstance(asked, dict) or not all(isinstance(value, dict) for value in asked.values()):
        raise StripeError("Invalid hash", code="parameter_invalid_string", param="capabilities")
    for name, value in asked.items():
        if name not in CAPABILITIES:
            message = f"Received unknown parameter: capabilities[{name}]"
            raise StripeError(message, code="parameter_unknown", param=f"capabilities[{name}]")
        params.only(value, "requested")
    return [name for name, value in asked.items() if params.boolean(value, "requested")]


def _controller(given: Params) -> JSON:
    asked = given.get("controller", {})
    if not isinstance(asked, dict):
        raise StripeError("Invalid hash", code="parameter_invalid_string", param="controller")
    params.only(asked, "fees", "losses", "requirement_collection", "stripe_dashboard")
    return asked
