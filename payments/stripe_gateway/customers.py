"""Customers, and the cards they save for later.

Source: https://docs.stripe.com/payments/save-and-reuse
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from payments import errors
from payments.stripe_gateway.client import client, translate_errors

if TYPE_CHECKING:
    import stripe
    from stripe import RequestOptions
    from stripe.params import SetupIntentCreateParams


@dataclass(frozen=True, slots=True)
class SetupIntent:
    """A SetupIntent: the buyer's browser saves a card by it."""

    id: str
    client_secret: str = field(repr=False)
    status: str
    stripe_customer_id: str
    stripe_payment_method_id: str


@dataclass(frozen=True, slots=True)
class Card:
    """A saved card, as it is at Stripe now; `customer_id` is empty once it was detached."""

    stripe_payment_method_id: str
    stripe_customer_id: str
    brand: str
    last4: str
    exp_month: int
    exp_year: int


def create_customer(*, user_id: int, idempotency_key: str) -> str:
    """Create a customer, or find the one that this key created; return its id.

    Stripe gets our user id and nothing else: a key must always be sent with the same parameters, and an address
    may change. Source: https://docs.stripe.com/api/customers/create
    Raises PaymentRefused, KeyInUse, StoredFailure, StripeUnavailable.
    """
    with translate_errors():
        created = client().v1.customers.create(
            params={"metadata": {"user": str(user_id)}}, options={"idempotency_key": idempotency_key}
        )
        return created.id


def delete_customer(customer_id: str) -> None:
    """Delete a customer with their saved cards; quiet if that was done. Raises PaymentRefused, StripeUnavailable.

    Source: https://docs.stripe.com/api/customers/delete
    """
    with suppress(errors.StripeObjectMissing), translate_errors():
        client().v1.customers.delete(customer_id)


def create_setup_intent(*, customer_id: str, idempotency_key: str | None) -> SetupIntent:
    """Create a SetupIntent that saves a card to be charged without its owner. Cards only: it is a card that we ask for.

    Source: https://docs.stripe.com/api/setup_intents/create
    Raises StripeObjectMissing if the customer was deleted, PaymentRefused, KeyInUse, StoredFailure, StripeUnavailable.
    """
    params: SetupIntentCreateParams = {
        "customer": customer_id,
        "usage": "off_session",
        "allowed_payment_method_types": ["card"],
    }
    options: RequestOptions = {"idempotency_key": idempotency_key} if idempotency_key else {}
    with translate_errors():
        created = client().v1.setup_intents.create(params=params, options=options)
        return _setup(created)


def retrieve_setup_intent(setup_intent_id: str) -> SetupIntent:
    """Return the SetupIntent as it is now. Raises StripeObjectMissing, StripeUnavailable."""
    with translate_errors():
        return _setup(client().v1.setup_intents.retrieve(setup_intent_id))


def retrieve_card(payment_method_id: str) -> Card | None:
    """Return the payment method as it is now; None if it is not a card. Raises StripeObjectMissing, StripeUnavailable.

    Source: https://docs.stripe.com/api/payment_methods/object
    """
    with translate_errors():
        values: dict[str, Any] = client().v1.payment_methods.retrieve(payment_method_id).to_dict()
    face = values.get("card")
    if not face:
        return None
    return Card(
        stripe_payment_method_id=values["id"],
        stripe_customer_id=values.get("customer") or "",
        brand=face["brand"],
        last4=face["last4"],
        exp_month=face["exp_month"],
        exp_year=face["exp_year"],
    )


def detach_card(payment_method_id: str) -> None:
    """Take a card from its customer for good; quiet if that was done. Raises PaymentRefused, StripeUnavailable.

    Source: https://docs.stripe.com/api/payment_methods/detach
    """
    try:
        with translate_errors():
            client().v1.payment_methods.detach(payment_method_id)
    except errors.StripeObjectMissing:
        return
    except errors.PaymentRefused:
        card = retrieve_card(payment_method_id)
        if card and card.stripe_customer_id:
            raise


def _setup(found: stripe.SetupIntent) -> SetupIntent:
    values = found.to_dict()
    return SetupIntent(
        id=values["id"],
        client_secret=values.get("client_secret") or "",
        status=values["status"],
        stripe_customer_id=values.get("customer") or "",
        stripe_payment_method_id=values.get("payment_method") or "",
    )
