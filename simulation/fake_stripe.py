"""Stripe without the network: answers the gateway from memory."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING
from unittest import mock

from payments import errors, stripe_gateway
from payments.models import StripeEvent
from payments.services import webhooks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from payments.stripe_gateway import Intent


class FakeStripe:
    """All PaymentIntents. `pay` pays one; `deliver_event` sends the webhook, without which the gateway must ask."""

    def __init__(self) -> None:
        self._intents: dict[str, Intent] = {}
        self._by_key: dict[str, str] = {}
        self._events = 0

    @contextmanager
    def patch_gateway(self) -> Iterator[None]:
        """Replace three functions of the gateway; everything else of payments is real."""
        with mock.patch.multiple(
            stripe_gateway, create_intent=self._create, retrieve_intent=self._retrieve, cancel_intent=self._cancel
        ):
            yield

    def pay(self, intent_id: str) -> bool:
        """Pay an intent; return False if it was canceled."""
        intent = self._intents[intent_id]
        if intent.status == "canceled":
            return False
        self._intents[intent_id] = replace(intent, status="succeeded", received_minor=intent.amount_minor)
        return True

    def start_debit(self, intent_id: str) -> None:
        """Start a bank debit, which takes days."""
        self._intents[intent_id] = replace(self._intents[intent_id], status="processing")

    def fail_debit(self, intent_id: str) -> None:
        """Let a bank debit fail."""
        self._intents[intent_id] = replace(
            self._intents[intent_id], status="requires_payment_method", last_error_code="insufficient_funds"
        )

    def decline(self, intent_id: str) -> None:
        """Decline the card."""
        intent = self._intents[intent_id]
        self._intents[intent_id] = replace(intent, last_error_code="insufficient_funds")

    def deliver_event(self, intent_id: str, change: str) -> StripeEvent:
        """Store an event as webhooks.receive does, process it, and return it."""
        self._events += 1
        intent = self._intents[intent_id]
        subject = {
            "object": "payment_intent",
            "id": intent_id,
            "amount": intent.amount_minor,
            "amount_received": intent.received_minor,
            "currency": intent.currency.lower(),
        }
        payload = {"livemode": intent.livemode, "data": {"object": subject}}
        event = StripeEvent.objects.create(id=f"evt_{self._events}", type=f"payment_intent.{change}", payload=payload)
        return self.redeliver(event)

    @staticmethod
    def redeliver(event: StripeEvent) -> StripeEvent:
        """Process an event, or process it again."""
        webhooks.process(event_id=event.pk)
        event.refresh_from_db()
        return event

    def _create(
        self,
        *,
        amount: Decimal,
        currency: str,
        idempotency_key: str,
        metadata: Mapping[str, str],
        customer_id: str = "",
        destination: str = "",
        fee: Decimal = Decimal(0),
    ) -> Intent:
        del customer_id, destination, fee  # no saved cards and no Connect accounts here
        if idempotency_key not in self._by_key:
            intent_id = f"pi_{len(self._intents) + 1}"
            self._by_key[idempotency_key] = intent_id
            self._intents[intent_id] = stripe_gateway.Intent(
                id=intent_id,
                client_secret=f"{intent_id}_secret",
                status="requires_payment_method",
                amount_minor=stripe_gateway.to_minor_units(amount, currency),
                received_minor=0,
                currency=currency,
                livemode=stripe_gateway.is_live_mode(),
                metadata=dict(metadata),
            )
        return self._intents[self._by_key[idempotency_key]]

    def _retrieve(self, intent_id: str) -> Intent:
        return self._intents[intent_id]

    def _cancel(self, intent_id: str) -> Intent:
        if self._intents[intent_id].status in {"succeeded", "processing"}:
            raise errors.PaymentRefused(stripe_code="payment_intent_unexpected_state")
        self._intents[intent_id] = replace(self._intents[intent_id], status="canceled")
        return self._intents[intent_id]
