"""Customers, and the cards they save for later.

Source: https://docs.stripe.com/payments/save-and-reuse
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from payments import errors
from payments.stripe_gateway.client import client, translated

if TYPE_CHECKING:
    import stripe
    from stripe import RequestOptions
    from stripe.params import SetupIntentCreateParams


@dataclass(frozen=True, slots=True)
class Setup:
    """A SetupIntent: the buyer's browser saves a card by it."""

    id: str
    client_secret: str = field(repr=False)
    status: str
    customer_id: str
    payment_method_id: str


@dataclass(frozen=True, slots=True)
class Card:
    """A saved card, as Stripe holds it now; `customer_id` is empty once it was detached."""

    payment_method_id: str
    customer_id: str
    brand: str
    last4: str
    exp_month: int
    exp_year: int


def create_customer(*, user_id: int, idempotency_key: str) -> str:
    """Create a customer, or find the one that this key created; return its id.

    Stripe is told our number for them and nothing else: the same key must always ask for the same, and an address
    may change. Source: https://docs.stripe.com/api/customers/create
    Raises PaymentRefused, KeyInUse, KeySpent, StripeUnavailable.
    """
    with translated():
        created = client().v1.customers.create(
            params={"metadata": {"user": str(user_id)}}, options={"idempotency_key": idempotency_key}
        )
        return created.id


def delete_customer(customer_id: str) -> None:
    """Delete a customer with their saved cards; quiet if that was done. Raises PaymentRefused, StripeUnavailable.

    Source: https://docs.stripe.com/api/customers/delete
    """
    try:
        with translated():
            client().v1.customers.delete(customer_id)
    except errors.NotAtStripe:
        return


def create_setup(*, customer_id: str, idempotency_key: str | None) -> Setup:
    """Create a SetupIntent that saves a card to be charged without its owner. Cards only: it is a card that we ask for.

    Source: https://docs.stripe.com/api/setup_intents/create
    Raises NotAtStripe if the customer was deleted, PaymentRefused, KeyInUse, KeySpent, StripeUnavailable.
    """
    params: SetupIntentCreateParams = {
        "customer": customer_id,
        "usage": "off_session",
        "allowed_payment_method_types": ["card"],
    }
    options: RequestOptions = {"idempotency_key": idempotency_key} if idempotency_key else {}
    with translated():
        created = client().v1.setup_intents.create(params=params, options=options)
        return _setup(created)


def retrieve_setup(setup_intent_id: str) -> Setup:
    """Return the SetupIntent as it is now. Raises NotAtStripe, StripeUnavailable."""
    with translated():
        return _setup(client().v1.setup_intents.retrieve(setup_intent_id))


def retrieve_card(payment_method_id: str) -> Card | None:
    """Return the payment method as it is now; None if it is not a card. Raises NotAtStripe, StripeUnavailable.

    Source: https://docs.stripe.com/api/payment_methods/object
    """
    with translated():
        values: dict[str, Any] = client().v1.payment_methods.retrieve(payment_method_id).to_dict()
    face = values.get("card")
    if not face:
        return None
    return Card(
        payment_method_id=values["id"],
        customer_id=values.get("customer") or "",
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
        with translated():
            client().v1.payment_methods.detach(payment_method_id)
    except errors.NotAtStripe:
        return
    except errors.PaymentRefused:
        card = retrieve_card(payment_method_id)
        if card and card.customer_id:
            raise


def _setup(found: stripe.SetupIntent) -> Setup:
    values = found.to_dict()
    return Setup(
        id=values["id"],
        client_secret=values.get("client_secret") or "",
        status=values["status"],
        customer_id=values.get("customer") or "",
        payment_method_id=values.get("payment_method") or "",
    )
