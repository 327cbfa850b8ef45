"""Stripe, and the only package that imports its SDK.

What comes out are small frozen dataclasses and our own errors; no SDK object, message or body leaves it, so no secret
does either. Nothing here opens a transaction, and nobody calls it inside one. Callers say `stripe_gateway.name`.
"""

from payments.stripe_gateway.client import live_mode
from payments.stripe_gateway.connect import (
    Account,
    AccountLink,
    create_account,
    create_account_link,
    create_transfer,
    find_reversal,
    find_transfer,
    retrieve_account,
    reverse_transfer,
    transfer_of_charge,
)
from payments.stripe_gateway.customers import (
    Card,
    Setup,
    create_customer,
    create_setup,
    delete_customer,
    detach_card,
    retrieve_card,
    retrieve_setup,
)
from payments.stripe_gateway.disputes import DisputeAtStripe, retrieve_dispute
from payments.stripe_gateway.events import Event, id_of, read_event
from payments.stripe_gateway.intents import (
    Intent,
    cancel_intent,
    charge_saved_card,
    create_intent,
    list_intents,
    paid_intent_of,
    retrieve_intent,
)
from payments.stripe_gateway.ledger import (
    Movement,
    intent_of_charge,
    left_with_seller,
    list_events,
    list_movements,
    movements_of,
)
from payments.stripe_gateway.limits import can_charge, can_refund
from payments.stripe_gateway.minor_units import from_minor_units, to_minor_units
from payments.stripe_gateway.refunds import RefundAtStripe, create_refund, list_refunds, refunded_intent_of

__all__ = [
    "Account",
    "AccountLink",
    "Card",
    "DisputeAtStripe",
    "Event",
    "Intent",
    "Movement",
    "RefundAtStripe",
    "Setup",
    "can_charge",
    "can_refund",
    "cancel_intent",
    "charge_saved_card",
    "create_account",
    "create_account_link",
    "create_customer",
    "create_intent",
    "create_refund",
    "create_setup",
    "create_transfer",
    "delete_customer",
    "detach_card",
    "find_reversal",
    "find_transfer",
    "from_minor_units",
    "id_of",
    "intent_of_charge",
    "left_with_seller",
    "list_events",
    "list_intents",
    "list_movements",
    "list_refunds",
    "live_mode",
    "movements_of",
    "paid_intent_of",
    "read_event",
    "refunded_intent_of",
    "retrieve_account",
    "retrieve_card",
    "retrieve_dispute",
    "retrieve_intent",
    "retrieve_setup",
    "reverse_transfer",
    "to_minor_units",
    "transfer_of_charge",
]
