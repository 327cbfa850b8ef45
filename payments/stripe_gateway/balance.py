"""Lists of Stripe's balance transactions and events, page by page.

Source: https://docs.stripe.com/api/balance_transactions and https://docs.stripe.com/api/events/list
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from payments.stripe_gateway.amounts import from_minor_units
from payments.stripe_gateway.client import client, translate_errors
from payments.stripe_gateway.webhook_events import parse_event

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from decimal import Decimal

    import stripe
    from stripe.params import BalanceTransactionListParams

    from payments.stripe_gateway.webhook_events import Event

_PAGE: Final = 100
# https://docs.stripe.com/api/events/list: types
_TYPES_AT_ONCE: Final = 20
# What names the thing that each kind of object belongs to.
_PARENT_FIELD: Final = {
    "charge": "payment_intent",
    "refund": "payment_intent",
    "dispute": "payment_intent",
    "transfer": "source_transaction",
    "transfer_reversal": "source_refund",
    "application_fee": "charge",
}


@dataclass(frozen=True, slots=True)
class BalanceTransaction:
    """Money that moved on our balance: in is above zero. `category` is Stripe's reporting category.

    `source_id` is what moved it. `parent_id` is the PaymentIntent of a charge, refund or dispute, the charge of a
    transfer or fee, the refund that brought a transfer back; or empty. The amount is in the currency of what moved it:
    where Stripe exchanged it, our balance says another.
    Source: https://docs.stripe.com/reports/reporting-categories
    """

    id: str
    category: str
    source_id: str
    parent_id: str
    amount: Decimal
    currency: str


def list_balance_transactions(*, since: datetime, until: datetime) -> Iterator[BalanceTransaction]:
    """Yield what moved on our balance from `since` to `until` (UTC, to the second), the newest first.

    Raises StripeUnavailable.
    """
    created = {"gte": int(since.timestamp()), "lte": int(until.timestamp())}
    return _balance_transactions({"created": created})  # type: ignore[typeddict-item]


def balance_transactions_of(source_id: str) -> list[BalanceTransaction]:
    """Return all that a charge, refund, dispute, transfer or fee moved on our balance. Raises StripeUnavailable."""
    return list(_balance_transactions({"source": source_id}))


def intent_of_charge(charge_id: str) -> str:
    """Return the id of the PaymentIntent that made a charge, if any. Raises StripeObjectMissing, StripeUnavailable."""
    with translate_errors():
        return _id_of(client().v1.charges.retrieve(charge_id).to_dict().get("payment_intent"))


def seller_net(intent_id: str) -> Decimal | None:
    """Return what the destination of a payment has of it now: passed on, less our fee and what was taken back.

    None if the payment has no destination. Raises StripeObjectMissing, StripeUnavailable.
    Source: https://docs.stripe.com/connect/destination-charges#flow-of-funds-app-fee
    """
    expand = ["latest_charge.transfer", "latest_charge.application_fee"]
    with translate_errors():
        charge = (
            client().v1.payment_intents.retrieve(intent_id, {"expand": expand}).to_dict().get("latest_charge") or {}
        )
    transfer, fee = charge.get("transfer"), charge.get("application_fee") or {"amount": 0, "amount_refunded": 0}
    if not transfer:
        return None
    kept_by_us = fee["amount"] - fee["amount_refunded"]
    return from_minor_units(transfer["amount"] - transfer["amount_reversed"] - kept_by_us, charge["currency"].upper())


def list_events(*, types: Iterable[str], since: datetime) -> Iterator[Event]:
    """Yield the events of these types since then (UTC), the newest first of each twenty types; Stripe keeps 30 days.

    Raises StripeUnavailable.
    """
    wanted, created = sorted(types), int(since.timestamp())
    for start in range(0, len(wanted), _TYPES_AT_ONCE):
        some = wanted[start : start + _TYPES_AT_ONCE]
        with translate_errors():
            found = client().v1.events.list(params={"types": some, "created": {"gte": created}, "limit": _PAGE})
            for event in found.auto_paging_iter():
                yield parse_event(event.to_dict(for_json=True))


def _balance_transactions(which: BalanceTransactionListParams) -> Iterator[BalanceTransaction]:
    with translate_errors():
        found = client().v1.balance_transactions.list(params={**which, "expand": ["data.source"], "limit": _PAGE})
        for transaction in found.auto_paging_iter():
            yield _parse_balance_transaction(transaction)


def _parse_balance_transaction(found: stripe.BalanceTransaction) -> BalanceTransaction:
    values = found.to_dict()
    source = values["source"] if isinstance(values.get("source"), dict) else {}
    currency, minor = values["currency"], values["amount"]
    if values.get("exchange_rate") is not None and source.get("currency"):
        currency, minor = source["currency"], source["amount"] if minor > 0 else -source["amount"]
    return BalanceTransaction(
        id=values["id"],
        category=values["reporting_category"],
        source_id=_id_of(values.get("source")),
        parent_id=_id_of(source.get(_PARENT_FIELD.get(source.get("object", ""), ""))),
        amount=from_minor_units(minor, currency.upper()),
        currency=currency.upper(),
    )


def _id_of(value: Any) -> str:
    """Return the id of an object that Stripe gives by its id or expanded."""
    found = value.get("id") if isinstance(value, dict) else value
    return found if isinstance(found, str) else ""
