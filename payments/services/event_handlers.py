"""Which handler processes which type of Stripe event.

Source: https://docs.stripe.com/api/events/types
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from payments.services import cards, customers, disputes, payment_sync, refund_sync, sellers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from payments.models import StripeEvent


@dataclass(frozen=True, slots=True)
class Handler:
    """How events of a type are processed, in two steps: ask Stripe, then write rows.

    `read` reads the event's object again from Stripe, outside any transaction, so the order of events does not matter.
    None: the object is not ours, or Stripe does not know it any more. `apply` gets what was read, in the transaction
    that locks the event's row, and moves our rows forward, never back; it may return a flag for staff. Both run
    again when staff reprocess the event (its `processed_at` is set then): people are notified only the first time.
    """

    read: Callable[[StripeEvent], Any]
    apply: Callable[[Any], str | None]


_INTENTS: Final = Handler(read=payment_sync.read_event, apply=payment_sync.apply_event)
_REFUNDS: Final = Handler(read=refund_sync.read_event, apply=refund_sync.sync)
_DISPUTES: Final = Handler(read=disputes.read_event, apply=disputes.sync)
_ACCOUNTS: Final = Handler(read=sellers.read_event, apply=sellers.apply_event)
_SAVED_CARDS: Final = Handler(read=cards.read_setup_event, apply=cards.apply_setup_event)
_CARDS: Final = Handler(read=cards.read_card_event, apply=cards.apply_card_event)
_CUSTOMERS: Final = Handler(read=cards.read_customer_event, apply=customers.unlink)

# Events of other types are stored and acknowledged.
HANDLERS: Final[Mapping[str, Handler]] = MappingProxyType(
    {
        "payment_intent.succeeded": _INTENTS,
        "payment_intent.payment_failed": _INTENTS,
        "payment_intent.processing": _INTENTS,
        "payment_intent.canceled": _INTENTS,
        "payment_intent.requires_action": _INTENTS,
        "refund.created": _REFUNDS,
        "refund.updated": _REFUNDS,
        "refund.failed": _REFUNDS,
        "charge.refunded": _REFUNDS,
        "charge.refund.updated": _REFUNDS,
        "charge.dispute.created": _DISPUTES,
        "charge.dispute.updated": _DISPUTES,
        "charge.dispute.closed": _DISPUTES,
        "charge.dispute.funds_withdrawn": _DISPUTES,
        "charge.dispute.funds_reinstated": _DISPUTES,
        "account.updated": _ACCOUNTS,
        "setup_intent.succeeded": _SAVED_CARDS,
        "payment_method.detached": _CARDS,
        "payment_method.updated": _CARDS,
        "payment_method.automatically_updated": _CARDS,
        "customer.deleted": _CUSTOMERS,
    }
)
