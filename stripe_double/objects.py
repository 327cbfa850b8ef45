"""The shapes of Stripe's objects, every field, as of `API_VERSION`.

Source: https://docs.stripe.com/api; compared with Stripe's own fixtures by tests/test_shapes.py
"""

from __future__ import annotations

import secrets
import string
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stripe_double.cards import Instrument

JSON = dict[str, Any]

# The version stripe 16 pins; tests/test_shapes.py fails when the SDK pins another.
API_VERSION = "2026-10-28.endive"
ALPHABET = string.ascii_letters + string.digits
EMPTY_ADDRESS = {
    "city": None,
    "country": None,
    "line1": None,
    "line2": None,
    "postal_code": None,
    "state": None,
}
EMPTY_BILLING = {"address": EMPTY_ADDRESS, "email": None, "name": None, "phone": None, "tax_id": None}
CHECKS = {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"}


def new_id(prefix: str, length: int = 24) -> str:
    """Return an id such as `pi_…`; random, so that ids never repeat."""
    return prefix + "_" + "".join(secrets.choice(ALPHABET) for _ in range(length))


def payment_intent(amount: int, currency: str, methods: list[str], *, automatic: JSON | None) -> JSON:
    """Return a new intent.

    Source: https://docs.stripe.com/api/payment_intents/object
    """
    intent_id = new_id("pi")
    return {
        "id": intent_id,
        "object": "payment_intent",
        "amount": amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": automatic,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic_async",
        "client_secret": intent_id + new_id("_secret", 25),
        "confirmation_method": "automatic",
        "created": int(time.time()),
        "currency": currency,
        "customer": None,
        "customer_account": None,
        "description": None,
        "excluded_payment_method_types": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "managed_payments": {"enabled": False},
        "metadata": {},
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {name: _OPTIONS.get(name, {}) for name in methods},
        "payment_method_types": methods,
        "processing": None,
        "receipt_email": None,
        "review": None,
        "setup_future_usage": None,
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": None,
    }


_OPTIONS = {
    "card": {
        "installments": None,
        "mandate_options": None,
        "network": None,
        "request_three_d_secure": "automatic",
    }
}


def payment_method(instrument: Instrument, card: JSON, billing: JSON) -> JSON:
    """Return a payment method; of the number only brand, last four and fingerprint remain.

    Source: https://docs.stripe.com/api/payment_methods/object
    """
    shared = {
        "id": new_id("pm"),
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": EMPTY_BILLING | billing,
        "created": int(time.time()),
        "customer": None,
        "customer_account": None,
        "livemode": False,
        "metadata": {},
        "type": instrument.type,
    }
    if instrument.type == "us_bank_account":
        return shared | {"us_bank_account": _bank_account(instrument)}
    face = {
        "brand": instrument.brand,
        "checks": CHECKS,
        "country": "US",
        "display_brand": instrument.brand,
        "exp_month": card.get("exp_month", 12),
        "exp_year": card.get("exp_year", time.gmtime().tm_year + 3),
        "fingerprint": instrument.fingerprint,
        "funding": "credit",
        "generated_from": None,
        "last4": instrument.last4,
        "networks": {"available": [instrument.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }
    return shared | {"card": face}


def _bank_account(instrument: Instrument) -> JSON:
    return {
        "account_holder_type": "individual",
        "account_type": "checking",
        "bank_name": "STRIPE TEST BANK",
        "financial_connections_account": None,
        "fingerprint": instrument.fingerprint,
        "last4": instrument.last4,
        "networks": {"preferred": "ach", "supported": ["ach"]},
        "routing_number": "110000000",
        "status_details": {},
    }


def refund(charge_: JSON, amount: int, reason: str | None, metadata: dict[str, str]) -> JSON:
    """Return a refund.

    Source: https://docs.stripe.com/api/refunds/object
    """
    return {
        "id": new_id("re"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge_["id"],
        "created": int(time.time()),
        "currency": charge_["currency"],
        "customer": charge_["customer"],
        "customer_account": None,
        "destination_details": {"card": {"type": "refund"}, "type": "card"},
        "metadata": metadata,
        "payment_intent": charge_["payment_intent"],
        "payment_method": charge_["payment_method"],
        "reason": reason,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "succeeded",
        "transfer_reversal": None,
    }


def event(type_: str, snapshot: JSON, previous: JSON | None, request: JSON) -> JSON:
    """Return an event with a snapshot of its object.

    Source: https://docs.stripe.com/api/events/object
    """
    data = {"object": snapshot} | ({"previous_attributes": previous} if previous else {})
    return {
        "id": new_id("evt"),
        "object": "event",
        "api_version": API_VERSION,
        "created": int(time.time()),
        "data": data,
        "livemode": False,
        "pending_webhooks": 0,
        "request": request,
        "type": type_,
    }
