"""Customers: buyers and the owners of saved payment methods.

Source: https://docs.stripe.com/api/customers
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from stripe_double import params
from stripe_double.errors import StripeError
from stripe_double.objects import new_id
from stripe_double.payment_methods import detach
from stripe_double.store import Query

if TYPE_CHECKING:
    from stripe_double.call import Call

JSON = dict[str, Any]

DETAILS = ("email", "name", "description", "phone")
MAX_SAVED = 1000


def create(call: Call, _: str = "") -> JSON:
    """Create a customer. Two with one email are two customers.

    Source: https://docs.stripe.com/api/customers/create
    """
    params.only(call.params, *DETAILS, "metadata")
    customer = _customer()
    _describe(call, customer)
    call.store.add(customer)
    call.announce("customer.created", customer)
    return customer


def retrieve(call: Call, customer_id: str) -> JSON:
    """Return a customer, or, if deleted, only that fact.

    Source: https://docs.stripe.com/api/customers/retrieve
    """
    params.only(call.params)
    deleted = call.store.get("deleted_customer", customer_id)
    return _deleted_customer(customer_id) if deleted else call.find("customer", customer_id, "id")


def update(call: Call, customer_id: str) -> JSON:
    """Change a customer.

    Source: https://docs.stripe.com/api/customers/update
    """
    params.only(call.params, *DETAILS, "metadata")
    customer = call.find("customer", customer_id, "id")
    before = customer | {}
    _describe(call, customer)
    call.store.save(customer)
    previous = {name: before[name] for name in before if before[name] != customer[name]}
    if previous:
        call.announce("customer.updated", customer, previous)
    return customer


def delete(call: Call, customer_id: str) -> JSON:
    """Delete a customer for good; the saved payment methods are detached.

    Source: https://docs.stripe.com/api/customers/delete
    """
    params.only(call.params)
    customer = call.find("customer", customer_id, "id")
    for method in call.store.find(Query("payment_method", MAX_SAVED, equal={"customer": [customer_id]})):
        detach(call, method["id"])
    # Stored under another kind, so that other calls and lists do not find it.
    call.store.execute("UPDATE objects SET kind = 'deleted_customer' WHERE id = ?", customer_id)
    call.announce("customer.deleted", customer)
    return _deleted_customer(customer_id)


def requested_id(call: Call) -> str | None:
    """Return the customer that the call names, or None."""
    customer = params.text(call.params, "customer")
    if customer is not None:
        call.find("customer", customer, "customer")
    return customer


def _deleted_customer(customer_id: str) -> JSON:
    return {"id": customer_id, "object": "customer", "deleted": True}


def _describe(call: Call, customer: JSON) -> None:
    for name in DETAILS:
        if name in call.params:
            customer[name] = params.text(call.params, name)
    email = customer["email"]
    if email is not None and "@" not in email:
        raise StripeError(f"Invalid email address: {email}", code="email_invalid", param="email")
    customer["metadata"] = params.metadata(call.params, customer["metadata"])


def _customer() -> JSON:
    return {
        "id": new_id("cus", 14),
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": int(time.time()),
        "currency": None,
        "customer_account": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": None,
        "invoice_prefix": new_id("", 8)[1:].upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": {},
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }
