"""Stripe without the network: what our gateway asks is answered from memory, as the real one would."""

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


class Till:
    """All PaymentIntents. Money comes in by `pay`; our side hears of it by `tell`, or by asking again."""

    def __init__(self) -> None:
        self._intents: dict[str, Intent] = {}
        self._by_key: dict[str, str] = {}
        self._events = 0

    @contextmanager
    def in_place_of_stripe(self) -> Iterator[None]:
        """Have the gateway call this till; nothing else of the payments is replaced."""
        with mock.patch.multiple(
            stripe_gateway, create_intent=self._create, retrieve_intent=self._retrieve, cancel_intent=self._cancel
        ):
            yield

    def pay(self, intent_id: str) -> bool:
        """Let the buyer pay; False if the intent was canceled before."""
        intent = self._intents[intent_id]
        if intent.status == "canceled":
            return False
        self._intents[intent_id] = replace(intent, status="succeeded", received_minor=intent.amount_minor)
        return True

    def debit(self, intent_id: str) -> None:
        """Let the buyer pay from a bank account, which takes days."""
        self._intents[intent_id] = replace(self._intents[intent_id], status="processing")

    def bounce(self, intent_id: str) -> None:
        """Let the buyer's bank not pay after all."""
        self._intents[intent_id] = replace(
            self._intents[intent_id], status="requires_payment_method", last_error_code="insufficient_funds"
        )

    def is_under_way(self, intent_id: str | None) -> bool:
        """Whether a bank is about to pay, or not."""
        return intent_id is not None and self._intents[intent_id].status == "processing"

    def decline(self, intent_id: str) -> None:
        """Let the bank refuse the buyer's card."""
        intent = self._intents[intent_id]
        self._intents[intent_id] = replace(intent, last_error_code="insufficient_funds")

    def tell(self, intent_id: str, change: str) -> StripeEvent:
        """Deliver an event, verified and kept as webhooks.receive does, and have it acted on; return it."""
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
        return self.again(event)

    @staticmethod
    def again(event: StripeEvent) -> StripeEvent:
        """Deliver an event (again)."""
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
        del customer_id, destination, fee  # nobody here has saved a card, or an account
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
