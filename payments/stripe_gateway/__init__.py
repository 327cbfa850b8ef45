"""Stripe, and the only package that imports its SDK.

What comes out are small frozen dataclasses and our own errors; no SDK object, message or body leaves it, so no secret
does either. Nothing here opens a transaction or is called in one. Callers say `stripe_gateway.name`.
"""

from payments.stripe_gateway.amounts import from_minor_units, to_minor_units
from payments.stripe_gateway.balance import (
    BalanceTransaction,
    balance_transactions_of,
    intent_of_charge,
    list_balance_transactions,
    list_events,
    seller_net,
)
from payments.stripe_gateway.client import is_live_mode
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
    SetupIntent,
    create_customer,
    create_setup_intent,
    delete_customer,
    detach_card,
    retrieve_card,
    retrieve_setup_intent,
)
from payments.stripe_gateway.intents import (
    Intent,
    cancel_intent,
    charge_saved_card,
    create_intent,
    intent_from_success_event,
    list_intents,
    retrieve_intent,
)
from payments.stripe_gateway.refunds import (
    DisputeAtStripe,
    RefundAtStripe,
    create_refund,
    event_intent_id,
    list_refunds,
    retrieve_dispute,
)
from payments.stripe_gateway.webhook_events import Event, object_id, verify_event
