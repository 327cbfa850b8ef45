"""PaymentIntents: made, read, paid with a saved card, canceled."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings

from auctioncraft.core import card_amounts
from payments import errors
from payments.stripe_gateway.amounts import to_minor_units
from payments.stripe_gateway.client import client, translate_errors
from payments.stripe_gateway.webhook_events import event_object, object_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    import stripe
    from stripe.params import PaymentIntentCreateParams

# Minor units that no order exceeds: the limit of money columns for a currency without decimals.
_MAX_MINOR_UNITS: Final = 10**11


@dataclass(frozen=True, slots=True)
class Intent:
    """A PaymentIntent as it is at Stripe now. Amounts in minor units of `currency` (upper case)."""

    id: str
    client_secret: str = field(repr=False)
    status: str
    amount_minor: int
    received_minor: int
    currency: str
    livemode: bool
    metadata: dict[str, str]
    last_error_code: str = ""
    charge_id: str = ""

    def is_for(self, amount: Decimal, currency: str) -> bool:
        """Whether it is for exactly this."""
        return self.currency == currency and self.amount_minor == to_minor_units(amount, currency)


def create_intent(
    *,
    amount: Decimal,
    currency: str,
    metadata: Mapping[str, str],
    idempotency_key: str,
    customer_id: str = "",
    destination: str = "",
    fee: Decimal = Decimal(0),
) -> Intent:
    """Create a PaymentIntent, or find the one that this key created.

    With a `destination`, a connected account, Stripe passes the money on to it, less `fee`, which we keep.
    Source: https://docs.stripe.com/api/payment_intents/create, https://docs.stripe.com/api/idempotent_requests and
    https://docs.stripe.com/connect/destination-charges
    Raises AmountNotChargeable, PaymentRefused, KeyInUse, StoredFailure, StripeUnavailable. After the last, the intent
    may exist: ask again with the same key.
    """
    if not card_amounts.is_card_amount(amount, currency):
        raise errors.AmountNotChargeable
    params: PaymentIntentCreateParams = {
        "amount": to_minor_units(amount, currency),
        "currency": currency.lower(),
        "metadata": dict(metadata),
        "automatic_payment_methods": {"enabled": True},
    }
    if customer_id:
        params["customer"] = customer_id
    if destination:
        params["transfer_data"] = {"destination": destination}
        if fee:
            params["application_fee_amount"] = to_minor_units(fee, currency)
    with translate_errors():
        created = client().v1.payment_intents.create(params=params, options={"idempotency_key": idempotency_key})
        return _intent(created)


def retrieve_intent(intent_id: str) -> Intent:
    """Return the PaymentIntent as it is now. Raises StripeObjectMissing, StripeUnavailable."""
    with translate_errors():
        return _intent(client().v1.payment_intents.retrieve(intent_id))


def list_intents(*, since: datetime) -> Iterator[Intent]:
    """Yield the PaymentIntents created since then (UTC), as they are now, the newest first. Raises StripeUnavailable.

    Source: https://docs.stripe.com/api/payment_intents/list
    """
    with translate_errors():
        created = int(since.timestamp())
        found = client().v1.payment_intents.list(params={"created": {"gte": created}, "limit": 100})
        for intent in found.auto_paging_iter():
            yield _intent(intent)


def cancel_intent(intent_id: str) -> Intent:
    """Cancel a PaymentIntent that is not paid. Raises PaymentRefused if it is too late, StripeUnavailable.

    Source: https://docs.stripe.com/api/payment_intents/cancel
    """
    with translate_errors():
        return _intent(client().v1.payment_intents.cancel(intent_id))


def charge_saved_card(*, intent_id: str, payment_method_id: str, idempotency_key: str) -> Intent:
    """Pay a PaymentIntent with its customer's saved card, without the customer; return it as it is then.

    Source: https://docs.stripe.com/api/payment_intents/confirm, https://docs.stripe.com/payments/save-and-reuse (charge
    the saved payment method later). A bank that wants its customer there declines with `authentication_required`.
    Raises PaymentRefused (declined, or not payable any more), StripeObjectMissing, KeyInUse, StoredFailure,
    StripeUnavailable. After the last it may be paid all the same: retrieve it.
    """
    with translate_errors():
        confirmed = client().v1.payment_intents.confirm(
            intent_id,
            params={
                "payment_method": payment_method_id,
                "off_session": True,
                # Wanted of intents with automatic payment methods; a card that is charged off-session goes nowhere.
                "return_url": settings.FRONTEND_URL,
            },
            options={"idempotency_key": idempotency_key},
        )
        return _intent(confirmed)


def intent_from_success_event(payload: dict[str, Any]) -> Intent:
    """Return the PaymentIntent of a verified `payment_intent.succeeded` event, as the event states it.

    `succeeded` is where a PaymentIntent ends (https://docs.stripe.com/payments/paymentintents/lifecycle), so unlike any
    other state it need not be read again. An amount that is no number, or beyond any order, counts as none:
    it matches no order.
    """
    subject = event_object(payload)
    return Intent(
        id=object_id(payload, "payment_intent"),
        client_secret="",  # one is never kept  # nosec B106
        status="succeeded",
        amount_minor=_whole(subject.get("amount")),
        received_minor=_whole(subject.get("amount_received", subject.get("amount"))),
        currency=str(subject.get("currency", ""))[:3].upper(),
        livemode=payload.get("livemode") is True,
        metadata={},
    )


def _whole(amount: object) -> int:
    return amount if type(amount) is int and 0 <= amount < _MAX_MINOR_UNITS else 0


def _intent(found: stripe.PaymentIntent) -> Intent:
    values = found.to_dict()
    failure = values.get("last_payment_error") or {}
    return Intent(
        id=values["id"],
        client_secret=values.get("client_secret") or "",
        status=values["status"],
        amount_minor=values["amount"],
        received_minor=values.get("amount_received") or 0,
        currency=values["currency"].upper(),
        livemode=values["livemode"],
        metadata=values.get("metadata") or {},
        last_error_code=(failure.get("decline_code") or failure.get("code") or "")[:200],
        charge_id=values.get("latest_charge") or "",
    )
