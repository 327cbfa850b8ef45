"""Refunds and transfers at the same time: nothing that goes back to the buyer goes to the seller as well."""

from __future__ import annotations

from decimal import Decimal

import pytest

from payments.services import refunds
from payments.tests.conftest import broken_invariants, make_due
from payments.tests.connect_helpers import transfers as at_stripe
from payments.tests.refund_helpers import refund, refund_totals
from payments.tests.transfers.transfer_helpers import run_due_transfers

pytestmark = pytest.mark.django_db


def test_refund_that_waits_for_stripe_lowers_the_transfer(double, account, payout, order, seller, as_user):
    double.fail_next("500", path="/v1/refunds")
    assert refund(as_user(seller), order, amount="9.99").json()["refund"]["status"] == "pending"
    assert run_due_transfers(payout) == 1
    assert at_stripe(double, account) == [(900, 0)]
    assert broken_invariants() == []


@pytest.mark.parametrize("was_made", [True, False])
def test_refund_during_an_unanswered_transfer_waits_for_its_outcome(
    double, account, payout, order, seller, as_user, was_made
):
    double.fail_next("timeout_after_create" if was_made else "reset")
    run_due_transfers(payout)
    double.post(f"/_double/accounts/{account.stripe_account_id}", empty="true")
    assert refund(as_user(seller), order).json()["refund"]["status"] == "pending"
    make_due()
    assert refunds.send_due() == 0
    for _ in range(3):
        run_due_transfers(payout)
        refunds.send_due()
    if was_made:  # and the account is empty
        assert refund_totals(order) == ("0.000", "0.000", "failed")
        assert (payout.transferred, payout.owed) == (Decimal("17.99"), 0)
    else:
        assert refund_totals(order) == ("19.990", "19.990", "succeeded")
        assert (payout.transferred, payout.status, at_stripe(double, account)) == (0, "void", [])
    assert broken_invariants() == []
