from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
import stripe

from stripe_double.tests.conftest import plain

if TYPE_CHECKING:
    from stripe_double.tests.conftest import Running


def test_refunds_never_exceed_the_charge(double: Running) -> None:
    intent, refunds = double.paid(), double.client().v1.refunds
    part = refunds.create({"payment_intent": intent.id, "amount": 1500, "reason": "requested_by_customer"})
    assert (part.amount, part.status, part.charge) == (1500, "succeeded", intent.latest_charge)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        refunds.create({"payment_intent": intent.id, "amount": 500})
    assert (caught.value.param, caught.value.user_message) == (
        "amount", "Refund amount ($5.00) is greater than unrefunded amount on charge ($4.99)",
    )  # fmt: skip
    rest = refunds.create({"charge": intent.latest_charge})
    assert rest.amount == 499
    with pytest.raises(stripe.InvalidRequestError) as caught:
        refunds.create({"payment_intent": intent.id})
    assert caught.value.code == "charge_already_refunded"
    charge = double.client().v1.charges.retrieve(intent.latest_charge, {"expand": ["refunds"]})
    assert (charge.amount_refunded, charge.refunded) == (1999, True)
    assert [item.id for item in charge.refunds.data] == [rest.id, part.id]
    assert [item.id for item in refunds.list({"payment_intent": intent.id}).data] == [rest.id, part.id]
    assert plain(refunds.retrieve(part.id)) == plain(part)
    assert double.events()[-4:] == ["refund.created", "charge.refunded"] * 2


def test_parallel_refunds_never_exceed_the_charge(double: Running) -> None:
    intent = double.paid(amount=1000)

    def attempt(_: int) -> int:
        try:
            return double.client().v1.refunds.create({"payment_intent": intent.id, "amount": 400}).amount
        except stripe.InvalidRequestError:
            return 0

    with ThreadPoolExecutor(10) as pool:
        assert sum(pool.map(attempt, range(10))) == 800
    assert double.client().v1.charges.retrieve(intent.latest_charge).amount_refunded == 800


def test_unpaid_charge_cannot_be_refunded(double: Running) -> None:
    for params, message in (
        ({"payment_intent": double.intent().id}, "does not have a successful charge to refund"),
        ({"charge": "ch_none"}, "No such charge"),
        ({}, "One of the following params"),
        ({"payment_intent": double.paid().id, "amount": 0}, "greater than or equal to 1"),
    ):
        with pytest.raises(stripe.InvalidRequestError, match=message):
            double.client().v1.refunds.create(params)
    assert double.client().v1.refunds.list().data == []


def test_refund_has_balance_transaction_and_mutable_metadata(double: Running) -> None:
    refunds = double.client().v1.refunds
    refund = refunds.create({"payment_intent": double.paid().id, "amount": 500, "metadata": {"order": "7"}})
    booked = double.client().v1.balance_transactions.retrieve(refund.balance_transaction)
    assert (booked.type, booked.net, booked.source) == ("refund", -500, refund.id)
    changed = refunds.update(refund.id, {"metadata": {"by": "Bo"}})
    assert changed.metadata.to_dict() == {"order": "7", "by": "Bo"}
    assert double.events()[-1] == "refund.updated"


def test_refund_can_fail_after_success(double: Running) -> None:
    refunds = double.client().v1.refunds
    charge = double.intent(payment_method="pm_card_refundFail", confirm=True).latest_charge
    refund = refunds.create({"charge": charge})
    assert refund.status == "succeeded"
    assert double.act(f"refunds/{refund.id}/settle", outcome="succeed").status_code == 409
    assert double.act(f"refunds/{refund.id}/settle", outcome="fail").status_code == 200
    failed = refunds.retrieve(refund.id)
    booked = double.client().v1.balance_transactions.retrieve(failed.failure_balance_transaction)
    assert (failed.status, failed.failure_reason, booked.type, booked.net) == (
        "failed", "unknown", "refund_failure", 1999,
    )  # fmt: skip
    after = double.client().v1.charges.retrieve(charge)
    assert (after.amount_refunded, after.refunded) == (0, False)
    assert double.events()[-2:] == ["refund.updated", "refund.failed"]
    assert double.act(f"refunds/{refund.id}/settle", outcome="fail").status_code == 409
    assert refunds.create({"charge": charge}).amount == 1999


@pytest.mark.parametrize(("outcome", "status"), [("succeed", "succeeded"), ("fail", "failed")])
def test_refund_can_stay_pending(double: Running, outcome: str, status: str) -> None:
    charge = double.intent(payment_method="pm_card_pendingRefund", confirm=True).latest_charge
    refund = double.client().v1.refunds.create({"charge": charge, "amount": 500})
    assert refund.status == "pending"
    assert double.act(f"refunds/{refund.id}/settle", outcome=outcome).json()["status"] == status
    assert double.client().v1.charges.retrieve(charge).amount_refunded == (500 if outcome == "succeed" else 0)
    assert double.events()[-1] == ("refund.updated" if outcome == "succeed" else "refund.failed")


def test_refund_final_cannot_change(double: Running) -> None:
    refund = double.client().v1.refunds.create({"charge": double.paid().latest_charge})
    for outcome, status in (("succeed", 409), ("fail", 409), ("maybe", 400)):
        assert double.act(f"refunds/{refund.id}/settle", outcome=outcome).status_code == status
    assert double.act("refunds/re_none/settle", outcome="fail").status_code == 404


def test_disputed_charge_cannot_be_refunded(double: Running) -> None:
    charge = double.paid().latest_charge
    double.act(f"charges/{charge}/dispute").raise_for_status()
    with pytest.raises(stripe.InvalidRequestError) as caught:
        double.client().v1.refunds.create({"charge": charge})
    assert (caught.value.http_status, caught.value.code) == (400, "charge_disputed")
    assert double.client().v1.refunds.list().data == []
