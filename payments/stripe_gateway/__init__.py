"""Stripe, and the only package that imports its SDK.

What comes out are small frozen dataclasses and our own errors; no SDK object, message or body leaves it, so no secret
does either. Nothing here opens a transaction, and nobody calls it inside one. Callers say `stripe_gateway.name`.
"""

from payments.stripe_gateway.client import live_mode
from payments.stripe_gateway.events import TOLERANCE, Event, read_event, subject_of
from payments.stripe_gateway.intents import (
    Intent,
    cancel_intent,
    create_intent,
    intent_id_of,
    paid_intent_of,
    retrieve_intent,
)
from payments.stripe_gateway.minor_units import from_minor_units, to_minor_units

__all__ = [
    "TOLERANCE",
    "Event",
    "Intent",
    "cancel_intent",
    "create_intent",
    "from_minor_units",
    "intent_id_of",
    "live_mode",
    "paid_intent_of",
    "read_event",
    "retrieve_intent",
    "subject_of",
    "to_minor_units",
]
