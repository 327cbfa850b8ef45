"""The platform's ledger: one balance transaction per movement of money, and the resulting balance.

The double takes no fees: `net` is `amount` unless the caller gives another.
Source: https://docs.stripe.com/api/balance_transactions and https://docs.stripe.com/reports/balance-transaction-types
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from stripe_double import params
from stripe_double.objects import new_id

if TYPE_CHECKING:
    from stripe_double.call import Call

JSON = dict[str, Any]

# Money that customers paid is available after two days, the default of an account in the US; all else at once.
# Source: https://docs.stripe.com/payouts#payout-speed
INCOMING = ("charge", "payment", "application_fee")
DELAY = 2 * 24 * 3600
# Source: https://docs.stripe.com/reports/reporting-categories
CATEGORIES = {
    "application_fee": "platform_earning",
    "application_fee_refund": "platform_earning_refund",
    "charge": "charge",
    "payment": "charge",
    "payment_failure_refund": "refund_failure",
    "payment_refund": "refund",
    "refund": "refund",
    "refund_failure": "refund_failure",
    "transfer": "transfer",
    "transfer_refund": "transfer_reversal",
}
DEFAULT_CURRENCY = "usd"


def record(
    call: Call,
    *,
    type_: str,
    amount: int,
    currency: str,
    source: str,
    fee: int = 0,
    description: str | None = None,
) -> JSON:
    """Write and return the balance transaction of a movement, in minor units as the platform sees it.

    Positive is money in (a charge, a transfer reversed, an application fee), negative money out. `type_` is one of
    Stripe's; an `adjustment` is a dispute's. `source` is the id of the object that moved the money.
    Source: https://docs.stripe.com/api/balance_transactions/object
    """
    now = int(time.time())
    transaction = {
        "id": new_id("txn"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": now + DELAY if type_ in INCOMING else now,
        "balance_type": "payments",
        "created": now,
        "currency": currency,
        "description": description,
        "exchange_rate": None,
        "fee": fee,
        "fee_details": _fee_details(fee, currency),
        "net": amount - fee,
        "reporting_category": CATEGORIES.get(type_) or ("dispute" if amount < 0 else "dispute_reversal"),
        "source": source,
        "status": "pending" if type_ in INCOMING else "available",
        "type": type_,
    }
    call.store.add(transaction)
    return transaction


def as_of_now(transaction: JSON) -> None:
    """Set the status of a transaction read from the store: pending becomes available with time."""
    transaction["status"] = "available" if transaction["available_on"] <= time.time() else "pending"


def balance(call: Call, _: str = "") -> JSON:
    """Return the platform's balance, available and pending, per currency.

    Source: https://docs.stripe.com/api/balance/balance_object
    """
    params.only(call.params)
    rows = call.store.execute(
        "SELECT json_extract(body, '$.currency') currency,"
        " sum(CASE WHEN json_extract(body, '$.available_on') <= ?1 THEN json_extract(body, '$.net') ELSE 0 END),"
        " sum(CASE WHEN json_extract(body, '$.available_on') > ?1 THEN json_extract(body, '$.net') ELSE 0 END)"
        " FROM objects WHERE kind = 'balance_transaction' GROUP BY currency ORDER BY currency",
        time.time(),
    ).fetchall()
    held = rows or [(DEFAULT_CURRENCY, 0, 0)]
    return {
        "object": "balance",
        "available": [_amount(currency, available) for currency, available, _ in held],
        "connect_reserved": [{"amount": 0, "currency": currency} for currency, _, _ in held],
        "livemode": False,
        "pending": [_amount(currency, pending) for currency, _, pending in held],
    }


def _amount(currency: str, amount: int) -> JSON:
    return {"amount": amount, "currency": currency, "source_types": {"card": amount}}


def _fee_details(fee: int, currency: str) -> list[JSON]:
    if not fee:
        return []
    detail = {"amount": fee, "application": None, "currency": currency, "description": "Stripe processing fees"}
    return [detail | {"type": "stripe_fee"}]
