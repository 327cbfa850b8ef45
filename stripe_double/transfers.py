"""Movements after a charge: into the ledger, to connected accounts, and back.

`destination_payment` of a transfer names a payment that the double does not have.
Source: https://docs.stripe.com/connect/separate-charges-and-transfers and https://docs.stripe.com/api/transfers
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from stripe_double import accounts, currencies, ledger, params, reads
from stripe_double.errors import StripeError, missing_param
from stripe_double.objects import new_id
from stripe_double.store import Query

if TYPE_CHECKING:
    from stripe_double.call import Call

JSON = dict[str, Any]

SHOWN = 10
MANY = 1000


def create(call: Call, _: str = "") -> JSON:
    """Transfer money to a connected account; from a charge (`source_transaction`) never more than is left of it.

    A reversed transfer still counts. Unlike Stripe, the double does not check the platform's balance when no
    charge is named.
    Source: https://docs.stripe.com/api/transfers/create
    """
    given = call.params
    params.only(
        given,
        *("amount", "currency", "description", "destination", "metadata", "source_transaction", "transfer_group"),
    )
    currency, source = params.currency(given), params.text(given, "source_transaction")
    amount, name = params.integer(given, "amount"), params.text(given, "destination")
    if name is None:
        raise missing_param("destination")
    destination = accounts.destination(call, name, "destination")
    charge = None if source is None else call.find("charge", source, "source_transaction")
    if charge is not None:
        left = _unused_amount(call, charge, currency)
        amount = left if amount is None else amount
        if not 0 < amount <= left:
            rest = currencies.format_amount(left, currency)
            message = f"Cannot transfer more than the source_transaction still holds: {rest} are left of {source}."
            raise StripeError(message, param="amount", saved=True)
    if amount is None:
        raise missing_param("amount")
    group = params.text(given, "transfer_group")
    if group is None and charge is not None:
        group = charge["transfer_group"] or f"group_{charge['payment_intent'] or charge['id']}"
    transfer = _transfer(amount, currency, destination["id"], source, group)
    transfer |= {"description": params.text(given, "description"), "metadata": params.metadata(given, {})}
    return _send(call, transfer)


def update(call: Call, transfer_id: str) -> JSON:
    """Change a transfer's description or metadata.

    Source: https://docs.stripe.com/api/transfers/update
    """
    params.only(call.params, "description", "metadata")
    transfer = call.find("transfer", transfer_id, "transfer")
    before = transfer | {}
    if "description" in call.params:
        transfer["description"] = params.text(call.params, "description")
    transfer["metadata"] = params.metadata(call.params, transfer["metadata"])
    call.store.save(transfer)
    previous = {name: before[name] for name in ("description", "metadata") if before[name] != transfer[name]}
    if previous:
        call.announce("transfer.updated", transfer, previous)
    return transfer


def reverse(call: Call, transfer_id: str) -> JSON:
    """Reverse `amount` of a transfer, by default the rest.

    Source: https://docs.stripe.com/api/transfer_reversals/create
    """
    given = call.params
    params.only(given, "amount", "metadata")
    transfer = call.find("transfer", transfer_id, "id")
    left = transfer["amount"] - transfer["amount_reversed"]
    amount = params.integer(given, "amount")
    if left == 0:
        raise StripeError(f"Transfer {transfer_id} is already fully reversed.", saved=True)
    if amount is not None and amount > left:
        asked, rest = (currencies.format_amount(value, transfer["currency"]) for value in (amount, left))
        message = f"Transfer reversal amount ({asked}) is greater than unreversed amount on transfer ({rest})"
        raise StripeError(message, param="amount", saved=True)
    accounts.check_balance(call, transfer["destination"])
    return reverse_transfer(call, transfer, amount or left, metadata=params.metadata(given, {}))


def reversals(call: Call, transfer_id: str) -> JSON:
    """List the reversals of a transfer.

    Source: https://docs.stripe.com/api/transfer_reversals/list
    """
    params.only(call.params, "limit", "starting_after", "ending_before")
    call.find("transfer", transfer_id, "id")
    call.params["transfer"] = transfer_id
    return reads.page(call, "transfer_reversals") | {"url": f"/v1/transfers/{transfer_id}/reversals"}


def record_charge(call: Call, intent: JSON, charge: JSON) -> None:
    """Record a paid charge in the ledger, with the transfer and fee of a destination charge. Saves the charge.

    Source: https://docs.stripe.com/connect/destination-charges
    """
    type_ = "charge" if charge["payment_method_details"]["type"] == "card" else "payment"
    charge["balance_transaction"] = _moved(call, type_, charge["amount"], charge)
    if intent["transfer_data"]:
        destination = intent["transfer_data"]["destination"]
        group = charge["transfer_group"]
        transfer = _transfer(charge["amount"], charge["currency"], destination, charge["id"], group)
        charge["transfer"] = _send(call, transfer)["id"]
        if charge["application_fee_amount"]:
            charge["application_fee"] = _take_fee(call, charge, destination)["id"]
    call.store.save(charge)


def reverse_transfer(
    call: Call, transfer: JSON, amount: int, *, metadata: dict[str, str] | None = None, refund: str | None = None
) -> JSON:
    """Reverse `amount` of a transfer that has enough left; `refund` is the id of the related refund."""
    reversal = {
        "id": new_id("trr"),
        "object": "transfer_reversal",
        "amount": amount,
        "balance_transaction": None,
        "created": int(time.time()),
        "currency": transfer["currency"],
        "destination_payment_refund": new_id("pyr"),
        "metadata": metadata or {},
        "source_refund": refund,
        "transfer": transfer["id"],
    }
    reversal["balance_transaction"] = _moved(call, "transfer_refund", amount, reversal)
    call.store.add(reversal)
    previous = {name: transfer[name] for name in ("amount_reversed", "reversals", "reversed")}
    transfer["amount_reversed"] += amount
    transfer["reversed"] = transfer["amount_reversed"] == transfer["amount"]
    transfer["reversals"] = _with(transfer["reversals"], reversal)
    call.store.save(transfer)
    call.announce("transfer.reversed", transfer, previous)
    return reversal


def refund_fee(call: Call, fee: JSON, amount: int) -> None:
    """Refund `amount` of an application fee that has enough left.

    Source: https://docs.stripe.com/api/fee_refunds/object
    """
    refund = {
        "id": new_id("fr"),
        "object": "fee_refund",
        "amount": amount,
        "balance_transaction": None,
        "created": int(time.time()),
        "currency": fee["currency"],
        "fee": fee["id"],
        "metadata": {},
    }
    refund["balance_transaction"] = _moved(call, "application_fee_refund", -amount, refund)
    call.store.add(refund)
    previous = {name: fee[name] for name in ("amount_refunded", "refunded", "refunds")}
    fee["amount_refunded"] += amount
    fee["refunded"] = fee["amount_refunded"] == fee["amount"]
    fee["refunds"] = _with(fee["refunds"], refund)
    call.store.save(fee)
    call.announce("application_fee.refunded", fee, previous)


def _unused_amount(call: Call, charge: JSON, currency: str) -> int:
    if charge["status"] != "succeeded":
        message = f"Charge {charge['id']} was not paid: nothing of it can be transferred."
        raise StripeError(message, param="source_transaction")
    if charge["currency"] != currency:
        message = (
            f"The currency of source_transaction's balance transaction ({charge['currency']}) must be the same as the "
            f"transfer currency ({currency})"
        )
        raise StripeError(message, param="currency")
    made = call.store.find(Query("transfer", MANY, equal={"source_transaction": [charge["id"]]}))
    return int(charge["amount"] - sum(transfer["amount"] for transfer in made))


def _send(call: Call, transfer: JSON) -> JSON:
    transfer["balance_transaction"] = _moved(call, "transfer", -transfer["amount"], transfer)
    call.store.add(transfer)
    call.announce("transfer.created", transfer)
    return transfer


def _take_fee(call: Call, charge: JSON, account: str) -> JSON:
    fee_id, amount = new_id("fee"), charge["application_fee_amount"]
    fee = {
        "id": fee_id,
        "object": "application_fee",
        "account": account,
        "amount": amount,
        "amount_refunded": 0,
        "application": "ca_double",
        "balance_transaction": None,
        "charge": charge["id"],
        "created": int(time.time()),
        "currency": charge["currency"],
        "fee_source": {"charge": charge["id"], "type": "charge"},
        "livemode": False,
        "originating_transaction": charge["id"],
        "refunded": False,
        "refunds": {"object": "list", "data": [], "has_more": False, "url": f"/v1/application_fees/{fee_id}/refunds"},
    }
    fee["balance_transaction"] = _moved(call, "application_fee", amount, fee)
    call.store.add(fee)
    call.announce("application_fee.created", fee)
    return fee


def _with(listed: JSON, new: JSON) -> JSON:
    shown = [new, *listed["data"]]
    return listed | {"data": shown[:SHOWN], "has_more": len(shown) > SHOWN or listed["has_more"]}


def _moved(call: Call, type_: str, amount: int, source: JSON) -> str:
    moved = ledger.record(call, type_=type_, amount=amount, currency=source["currency"], source=source["id"])
    return str(moved["id"])


def _transfer(amount: int, currency: str, destination: str, source: str | None, group: str | None) -> JSON:
    transfer_id = new_id("tr")
    url = f"/v1/transfers/{transfer_id}/reversals"
    return {
        "id": transfer_id,
        "object": "transfer",
        "amount": amount,
        "amount_reversed": 0,
        "balance_transaction": None,
        "created": int(time.time()),
        "currency": currency,
        "description": None,
        "destination": destination,
        "destination_payment": new_id("py"),
        "livemode": False,
        "metadata": {},
        "reversals": {"object": "list", "data": [], "has_more": False, "url": url},
        "reversed": False,
        "source_transaction": source,
        "source_type": "card",
        "transfer_group": group,
    }
