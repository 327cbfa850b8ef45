"""The shape of a charge: one attempt to pay an intent.

Source: https://docs.stripe.com/api/charges/object
"""

from __future__ import annotations

import time
from typing import Any

from stripe_double.objects import new_id

JSON = dict[str, Any]


def charge(intent: JSON, method: JSON, *, status: str, authenticated: bool = False) -> JSON:
    """Return the charge of one attempt: `succeeded`, `pending` or `failed`.

    Source: https://docs.stripe.com/api/charges/object
    """
    paid = status == "succeeded"
    return {
        "id": new_id("ch" if method["type"] == "card" else "py"),
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": intent["amount"] if paid else 0,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": intent["application_fee_amount"],
        "balance_transaction": None,
        "billing_details": method["billing_details"],
        "calculated_statement_descriptor": "AUCTIONCRAFT",
        "captured": paid,
        "created": int(time.time()),
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "fraud_details": {},
        "livemode": False,
        "metadata": intent["metadata"],
        "on_behalf_of": intent["on_behalf_of"],
        "outcome": _outcome("approved_by_network", "authorized", "Payment complete.") if paid else None,
        "paid": paid,
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": _method_details(intent, method, authenticated=authenticated),
        "receipt_email": intent["receipt_email"],
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "review": None,
        "shipping": intent["shipping"],
        "source": None,
        "source_transfer": None,
        "statement_descriptor": intent["statement_descriptor"],
        "statement_descriptor_suffix": intent["statement_descriptor_suffix"],
        "status": status,
        "transfer_data": {"amount": None} | intent["transfer_data"] if intent["transfer_data"] else None,
        "transfer_group": intent["transfer_group"] or (f"group_{intent['id']}" if intent["transfer_data"] else None),
    }


def declined_outcome(reason: str) -> JSON:
    """Return the outcome of a charge the bank refused.

    Source: https://docs.stripe.com/api/charges/object
    """
    message = "The bank did not return any further details with this decline."
    return _outcome("declined_by_network", "issuer_declined", message) | {"reason": reason}


def _outcome(network_status: str, type_: str, message: str) -> JSON:
    return {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": network_status,
        "reason": None,
        "risk_level": "normal",
        "seller_message": message,
        "type": type_,
    }


_AUTHENTICATED = {
    "authentication_flow": "challenge",
    "electronic_commerce_indicator": "05",
    "exemption_indicator": None,
    "result": "authenticated",
    "result_reason": None,
    "transaction_id": None,
    "version": "2.2.0",
}


_BANK_FACE = ("account_holder_type", "account_type", "bank_name", "fingerprint", "last4", "routing_number")


def _method_details(intent: JSON, method: JSON, *, authenticated: bool) -> JSON:
    if method["type"] != "card":
        bank = method[method["type"]]
        face = {name: bank[name] for name in _BANK_FACE}
        more = {"expected_debit_date": None, "mandate": None, "payment_reference": None}
        return {"type": method["type"], method["type"]: face | more}
    card = method["card"]
    same = (
        "brand",
        "checks",
        "country",
        "exp_month",
        "exp_year",
        "fingerprint",
        "funding",
        "last4",
        "wallet",
    )
    return {
        "type": "card",
        "card": {name: card[name] for name in same}
        | {
            "amount_authorized": intent["amount"],
            "authorization_code": None,
            "extended_authorization": {"status": "disabled"},
            "incremental_authorization": {"status": "unavailable"},
            "installments": None,
            "mandate": None,
            "multicapture": {"status": "unavailable"},
            "network": card["brand"],
            "network_token": {"used": False},
            "network_transaction_id": None,
            "overcapture": {"maximum_amount_capturable": intent["amount"], "status": "unavailable"},
            "regulated_status": "unregulated",
            "three_d_secure": _AUTHENTICATED if authenticated else None,
            "transaction_link_id": None,
        },
    }
