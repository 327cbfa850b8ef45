"""Money passed on to connected accounts, with the payment or later, and back. The books must agree each time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import stripe

from stripe_double.tests.conftest import plain

if TYPE_CHECKING:
    from stripe_double.tests.conftest import Running


def destination_charge(double: Running, account: str, **params: Any) -> stripe.Charge:
    paid = double.paid(**{"amount": 1000, "transfer_data": {"destination": account}} | params)
    return double.client().v1.charges.retrieve(paid.latest_charge)


def books(double: Running) -> list[tuple[str, int, str]]:
    """Return the balance transactions, oldest first, as (type, net, source); each must be of its source."""
    listed = double.client().v1.balance_transactions.list({"limit": 100}).data[::-1]
    for item in listed:
        assert item.net == item.amount
        source = double.store.execute("SELECT body FROM objects WHERE id = ?", item.source).fetchone()[0]
        assert item.id in source
    return [(item.type, item.net, item.source) for item in listed]


def test_charge_has_balance_transaction(double: Running) -> None:
    charge = double.paid(amount=1000).latest_charge
    assert books(double) == [("charge", 1000, charge)]
    assert (
        double.client().v1.charges.retrieve(charge, {"expand": ["balance_transaction"]}).balance_transaction.net == 1000
    )


def test_destination_charge_transfers_amount_minus_fee(double: Running) -> None:
    account = double.seller()
    charge = destination_charge(double, account, application_fee_amount=100)
    transfer = double.client().v1.transfers.retrieve(charge.transfer)
    assert (transfer.amount, transfer.destination, transfer.source_transaction) == (1000, account, charge.id)
    assert (transfer.transfer_group, charge.transfer_group) == (f"group_{charge.payment_intent}",) * 2
    assert (charge.application_fee_amount, charge.transfer_data.destination) == (100, account)
    fee = double.client().v1.application_fees.retrieve(charge.application_fee)
    assert (fee.amount, fee.account, fee.charge) == (100, account, charge.id)
    assert books(double) == [
        ("charge", 1000, charge.id), ("transfer", -1000, transfer.id), ("application_fee", 100, fee.id),
    ]  # fmt: skip
    assert double.events()[-5:] == [
        "payment_intent.created", "transfer.created", "application_fee.created", "charge.succeeded",
        "payment_intent.succeeded",
    ]  # fmt: skip


def test_destination_bank_payment_transfers_when_settled(double: Running) -> None:
    intent = double.intent(
        transfer_data={"destination": double.seller()}, payment_method="pm_usBankAccount_processing", confirm=True
    )
    assert books(double) == []
    double.act(f"payment_intents/{intent.id}/settle", outcome="succeed").raise_for_status()
    assert [type_ for type_, *_ in books(double)] == ["payment", "transfer"]


def test_destination_must_be_an_enabled_account(double: Running) -> None:
    account = double.seller()
    intent = double.intent(transfer_data={"destination": account})
    double.act(f"accounts/{account}", charges_enabled="false").raise_for_status()
    new = double.seller(onboarded=False)
    for attempt in (
        lambda: double.intent(transfer_data={"destination": new}),
        lambda: double.client().v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa"}),
        lambda: double.client().v1.transfers.create({"amount": 1, "currency": "usd", "destination": new}),
    ):
        with pytest.raises(stripe.InvalidRequestError) as caught:
            attempt()
        assert (caught.value.http_status, caught.value.code) == (400, "insufficient_capabilities_for_transfer")
    assert books(double) == []


@pytest.mark.parametrize(
    ("params", "code", "param"),
    [
        ({"transfer_data": {"destination": "acct_none"}}, "resource_missing", "transfer_data[destination]"),
        ({"transfer_data": {"amount": 1}}, "parameter_missing", "transfer_data[destination]"),
        ({"application_fee_amount": 100}, None, "application_fee_amount"),
        ({"on_behalf_of": "acct_none"}, "resource_missing", "on_behalf_of"),
    ],
)
def test_connect_parameters_invalid_return_stripe_error(
    double: Running, params: dict[str, Any], code: str | None, param: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        double.intent(**params)
    assert (caught.value.code, caught.value.param) == (code, param)


def test_reversal_from_an_empty_account_is_refused(double: Running) -> None:
    charge, account = double.paid(amount=1000).latest_charge, double.seller()
    given = {"amount": 400, "currency": "usd", "destination": account, "source_transaction": charge}
    transfer = double.client().v1.transfers.create(given)
    double.act(f"accounts/{account}", empty="true").raise_for_status()
    with pytest.raises(stripe.InvalidRequestError) as caught:
        double.client().v1.transfers.reversals.create(transfer.id, {"amount": 100})
    assert (caught.value.http_status, caught.value.code) == (400, "balance_insufficient")
    double.act(f"accounts/{account}", empty="false").raise_for_status()
    assert double.client().v1.transfers.reversals.create(transfer.id, {"amount": 100}).amount == 100


def test_application_fee_never_exceeds_the_payment(double: Running) -> None:
    given = {"transfer_data": {"destination": double.seller()}, "application_fee_amount": 100}
    with pytest.raises(stripe.InvalidRequestError, match="less than or equal"):
        double.intent(**given | {"application_fee_amount": 2000})
    intent = double.intent(**given)
    with pytest.raises(stripe.InvalidRequestError, match="less than or equal"):
        double.client().v1.payment_intents.update(intent.id, {"amount": 99})
    assert (
        double.client().v1.payment_intents.update(intent.id, {"application_fee_amount": 50}).application_fee_amount
        == 50
    )


def test_transfers_never_exceed_the_charge(double: Running) -> None:
    charge, account = double.paid(amount=1000).latest_charge, double.seller()
    given = {"currency": "usd", "destination": account, "source_transaction": charge}

    def attempt(_: int) -> int:
        try:
            return double.client().v1.transfers.create(given | {"amount": 400}).amount
        except stripe.InvalidRequestError:
            return 0

    with ThreadPoolExecutor(5) as pool:
        assert sum(pool.map(attempt, range(5))) == 800
    rest = double.client().v1.transfers.create(given)
    assert rest.amount == 200
    with pytest.raises(stripe.InvalidRequestError, match="more than"):
        double.client().v1.transfers.create(given | {"amount": 1})
    with pytest.raises(stripe.InvalidRequestError) as caught:
        double.client().v1.transfers.create(given | {"currency": "eur", "amount": 1})
    assert caught.value.param == "currency"
    assert sum(net for _, net, _ in books(double)) == 0


def test_transfer_can_be_read_and_updated(double: Running) -> None:
    transfers, account = double.client().v1.transfers, double.seller()
    made = transfers.create(
        {
            "amount": 500,
            "currency": "usd",
            "destination": account,
            "transfer_group": "order_7",
            "description": "Lamp",
            "metadata": {"order": "7"},
        }
    )
    assert (made.amount, made.reversed, made.transfer_group, made.description) == (500, False, "order_7", "Lamp")
    changed = transfers.update(made.id, {"metadata": {"paid": "yes"}})
    assert changed.metadata.to_dict() == {"order": "7", "paid": "yes"}
    assert plain(transfers.retrieve(made.id)) == plain(changed)
    assert [item.id for item in transfers.list({"transfer_group": "order_7"}).data] == [made.id]
    assert transfers.list({"destination": double.seller()}).data == []
    assert [type_ for type_ in double.events() if type_.startswith("transfer")] == [
        "transfer.created", "transfer.updated",
    ]  # fmt: skip


@pytest.mark.parametrize("missing", ["amount", "currency", "destination"])
def test_transfer_without_parameters_is_refused(double: Running, missing: str) -> None:
    given = {"amount": 500, "currency": "usd", "destination": double.seller()}
    del given[missing]
    with pytest.raises(stripe.InvalidRequestError) as caught:
        double.client().v1.transfers.create(given)
    assert (caught.value.code, caught.value.param) == ("parameter_missing", missing)


def test_reversals_never_exceed_the_transfer(double: Running) -> None:
    transfers = double.client().v1.transfers
    transfer = transfers.create({"amount": 500, "currency": "usd", "destination": double.seller()})
    part = transfers.reversals.create(transfer.id, {"amount": 200, "metadata": {"why": "late"}})
    assert (part.amount, part.transfer, part.metadata.to_dict()) == (200, transfer.id, {"why": "late"})
    with pytest.raises(stripe.InvalidRequestError, match="greater than unreversed amount") as caught:
        transfers.reversals.create(transfer.id, {"amount": 301})
    assert caught.value.param == "amount"
    rest = transfers.reversals.create(transfer.id)
    assert rest.amount == 300
    with pytest.raises(stripe.InvalidRequestError, match="already fully reversed"):
        transfers.reversals.create(transfer.id)
    after = transfers.retrieve(transfer.id)
    assert (after.amount_reversed, after.reversed) == (500, True)
    assert [item.id for item in after.reversals.data] == [rest.id, part.id]
    assert [item.id for item in transfers.reversals.list(transfer.id).data] == [rest.id, part.id]
    assert books(double) == [
        ("transfer", -500, transfer.id), ("transfer_refund", 200, part.id), ("transfer_refund", 300, rest.id),
    ]  # fmt: skip
    assert double.events()[-2:] == ["transfer.reversed"] * 2


def test_refund_reverses_its_share_of_transfer_and_fee(double: Running) -> None:
    refunds = double.client().v1.refunds
    charge = destination_charge(double, double.seller(), amount=1000, application_fee_amount=100)
    both = {"charge": charge.id, "reverse_transfer": True, "refund_application_fee": True}
    part = refunds.create(both | {"amount": 333})
    transfer = double.client().v1.transfers.retrieve(charge.transfer)
    assert (transfer.amount_reversed, transfer.reversals.data[0].id, transfer.reversals.data[0].source_refund) == (
        333, part.transfer_reversal, part.id,
    )  # fmt: skip
    assert double.client().v1.application_fees.retrieve(charge.application_fee).amount_refunded == 33
    assert double.events()[-4:] == [
        "transfer.reversed", "application_fee.refunded", "refund.created", "charge.refunded",
    ]  # fmt: skip
    refunds.create(both | {"amount": 333})
    refunds.create(both)
    # However the steps are rounded, in the end everything is back.
    assert double.client().v1.transfers.retrieve(charge.transfer).reversed is True
    assert double.client().v1.application_fees.retrieve(charge.application_fee).refunded is True
    assert sum(net for _, net, _ in books(double)) == 0


def test_refund_without_reversal_is_paid_by_the_platform(double: Running) -> None:
    charge = destination_charge(double, double.seller(), application_fee_amount=100)
    refund = double.client().v1.refunds.create({"charge": charge.id})
    assert refund.transfer_reversal is None
    assert double.client().v1.transfers.retrieve(charge.transfer).amount_reversed == 0
    assert sum(net for _, net, _ in books(double)) == 100 - 1000


def test_refund_after_manual_reversal_reverses_only_the_rest(double: Running) -> None:
    charge = destination_charge(double, double.seller(), amount=1000)
    double.client().v1.transfers.reversals.create(charge.transfer, {"amount": 800})
    double.client().v1.refunds.create({"charge": charge.id, "reverse_transfer": True})
    assert double.client().v1.transfers.retrieve(charge.transfer).amount_reversed == 1000


@pytest.mark.parametrize("name", ["reverse_transfer", "refund_application_fee"])
def test_refund_of_plain_charge_reverses_nothing(double: Running, name: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        double.client().v1.refunds.create({"charge": double.paid().latest_charge, name: True})
    assert caught.value.param == name
    assert double.client().v1.refunds.list().data == []
