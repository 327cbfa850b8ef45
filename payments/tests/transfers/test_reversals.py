"""The job that reverses transfers after refunds and lost disputes, each once."""

from __future__ import annotations

from decimal import Decimal

import pytest

from payments.models import Payment, Payout, TransferReversal
from payments.tests.conftest import broken_invariants, post_event, request_intent, sell
from payments.tests.connect_helpers import onboarded, read
from payments.tests.connect_helpers import transfers as at_stripe
from payments.tests.payout_helpers import claw_back
from payments.tests.transfers.transfer_helpers import run_due_transfers

pytestmark = pytest.mark.django_db


def refund(caller, order, **body):
    answer = caller.post(f"/api/payments/orders/{order.pk}/refund/", body)
    assert (answer.status_code, answer.json()["refund"]["status"]) == (201, "succeeded")


def post_event_about(client, event_id, kind, dispute):
    event = {"id": event_id, "object": "event", "type": f"charge.dispute.{kind}", "livemode": False}
    assert post_event(client, {**event, "data": {"object": dispute}}).status_code == 200


def test_refund_after_the_transfer_reverses_the_sellers_share(double, account, payout):
    run_due_transfers(payout)
    claw_back(payout, "9.99")
    payout.refresh_from_db()
    assert payout.owed == Decimal("-8.99")
    assert run_due_transfers(payout) == 1
    assert (payout.transferred, payout.owed, at_stripe(double, account)) == (Decimal("9.00"), 0, [(1799, 899)])
    claw_back(payout, "10.00")
    assert run_due_transfers(payout) == 1
    assert (payout.transferred, payout.owed, at_stripe(double, account)) == (0, 0, [(1799, 1799)])
    assert run_due_transfers(payout) == 0
    assert broken_invariants() == []


def test_refund_during_an_unanswered_transfer_that_was_made_reverses_it(double, account, payout):
    double.fail_next("timeout_after_create")
    run_due_transfers(payout)
    claw_back(payout, "19.99")
    payout.refresh_from_db()
    assert payout.status == "void"
    run_due_transfers(payout)
    assert payout.status == "paid"
    run_due_transfers(payout)
    assert (payout.transferred, payout.owed, at_stripe(double, account)) == (0, 0, [(1799, 1799)])
    assert broken_invariants() == []


def test_refund_during_an_unanswered_transfer_that_was_not_made_voids_it(double, account, payout):
    double.fail_next("reset")
    run_due_transfers(payout)
    claw_back(payout, "19.99")
    run_due_transfers(payout)
    assert (payout.status, payout.transfer_pending, at_stripe(double, account)) == ("void", None, [])
    assert broken_invariants() == []


@pytest.mark.parametrize("fault", ["timeout_after_create", "500", "429", "reset"])
def test_reversal_is_made_once_whatever_fails(double, account, payout, fault):
    run_due_transfers(payout)
    claw_back(payout, "9.99")
    double.fail_next(fault)
    assert run_due_transfers(payout) == 0
    assert TransferReversal.objects.get().last_error == "stripe_unavailable"
    run_due_transfers(payout)
    run_due_transfers(payout)
    assert (payout.transferred, at_stripe(double, account)) == (Decimal("9.00"), [(1799, 899)])
    reversal = TransferReversal.objects.get()
    assert (reversal.last_error, reversal.completed_at is None) == ("", False)
    assert broken_invariants() == []


def test_reversal_that_stripe_refuses_is_shown_and_retried(double, account, payout):
    run_due_transfers(payout)
    double.post(f"/v1/transfers/{payout.stripe_transfer_id}/reversals", amount=1799)  # in the dashboard
    claw_back(payout, "9.99")
    assert run_due_transfers(payout) == 0
    reversal = TransferReversal.objects.get()
    assert (reversal.last_error, reversal.completed_at) == ("payment_refused", None)
    assert run_due_transfers(payout) == 0
    assert TransferReversal.objects.get().attempts == 2


def test_lost_dispute_of_destination_charge_is_reversed_by_us(double, seller, bidder, as_user):
    account = onboarded(seller)
    product = sell(seller, bidder)
    double.confirm(request_intent(as_user(bidder), product).json()["payment_intent_id"])
    request_intent(as_user(bidder), product)
    payout = Payout.objects.get()
    assert at_stripe(double, account) == [(1999, 0)]  # the whole payment; Stripe took our fee from it
    claw_back(payout, "19.99")
    assert run_due_transfers(payout) == 1
    assert at_stripe(double, account) == [(1999, 1799)]
    assert (payout.transferred, payout.owed, payout.stripe_transfer_id[:3]) == (0, 0, "tr_")
    assert broken_invariants() == []


def test_refund_with_separate_transfer_reverses_the_share(double, account, payout, order, seller, as_user):
    caller = as_user(seller)
    refund(caller, order, amount="5.00")  # before the transfer
    run_due_transfers(payout)
    assert at_stripe(double, account) == [(1349, 0)]
    refund(caller, order, amount="5.00")  # after the transfer
    assert at_stripe(double, account) == [(1349, 450)]
    refund(caller, order)
    assert run_due_transfers(payout) == 0
    assert (at_stripe(double, account), payout.transferred, payout.owed) == ([(1349, 1349)], 0, 0)
    assert broken_invariants() == []


def test_refund_of_destination_charge_reverses_the_share(double, seller, bidder, as_user):
    account = onboarded(seller)
    product = sell(seller, bidder)
    double.confirm(request_intent(as_user(bidder), product).json()["payment_intent_id"])
    request_intent(as_user(bidder), product)
    payout = Payout.objects.get()
    for amount, left in (("5.00", "13.49"), ("5.00", "8.99"), (None, "0")):
        refund(as_user(seller), payout.order, **({"amount": amount} if amount else {}))
        payout.refresh_from_db()
        assert (payout.transferred, payout.owed) == (Decimal(left), 0)
        (passed_on,) = read(double, "/v1/transfers", destination=account.stripe_account_id)["data"]
        assert passed_on["amount"] - passed_on["amount_reversed"] - 200 == int(payout.transferred * 100)
    assert TransferReversal.objects.count() == 3
    assert broken_invariants() == []


@pytest.mark.parametrize("outcome", ["won", "lost"])
def test_open_dispute_blocks_the_transfer(double, account, payout, client, outcome):
    charge = double.intent(Payment.objects.get().stripe_intent_id)["latest_charge"]
    dispute = double.post(f"/_double/charges/{charge}/dispute")
    post_event_about(client, "evt_1", "created", dispute)
    assert run_due_transfers(payout) == 0
    assert (payout.status, payout.blocked_by) == ("blocked", "disputed")
    post_event_about(
        client, "evt_2", "closed", double.post(f"/_double/disputes/{dispute['id']}/close", outcome=outcome)
    )
    assert run_due_transfers(payout) == (1 if outcome == "won" else 0)
    assert payout.status == ("paid" if outcome == "won" else "void")
    assert at_stripe(double, account) == ([(1799, 0)] if outcome == "won" else [])
    assert broken_invariants() == []


def test_dispute_lost_after_the_transfer_reverses_it(double, account, payout, client):
    run_due_transfers(payout)
    charge = double.intent(Payment.objects.get().stripe_intent_id)["latest_charge"]
    dispute = double.post(f"/_double/charges/{charge}/dispute")
    post_event_about(client, "evt_1", "created", dispute)
    assert run_due_transfers(payout) == 0
    post_event_about(client, "evt_2", "closed", double.post(f"/_double/disputes/{dispute['id']}/close", outcome="lost"))
    assert run_due_transfers(payout) == 1
    assert (at_stripe(double, account), payout.transferred, payout.owed) == ([(1799, 1799)], 0, 0)
    assert broken_invariants() == []
