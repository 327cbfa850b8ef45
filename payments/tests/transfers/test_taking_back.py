"""The sweep that takes back what sellers have too much, after refunds and lost disputes: each once."""

from __future__ import annotations

from decimal import Decimal

import pytest

from payments.models import Payment, Payout, TransferReversal
from payments.tests.conftest import broken, deliver, pay_for, sell
from payments.tests.connected import onboarded, read
from payments.tests.connected import transfers as at_stripe
from payments.tests.paid_out import take_back
from payments.tests.transfers.sweeping import sweep

pytestmark = pytest.mark.django_db


def refund(caller, order, **body):
    answer = caller.post(f"/api/payments/orders/{order.pk}/refund/", body)
    assert (answer.status_code, answer.json()["refund"]["status"]) == (201, "succeeded")


def tell(client, event_id, kind, dispute):
    event = {"id": event_id, "object": "event", "type": f"charge.dispute.{kind}", "livemode": False}
    assert deliver(client, {**event, "data": {"object": dispute}}).status_code == 200


def test_a_refund_after_it_was_sent_takes_the_sellers_share_back(double, account, payout):
    sweep(payout)
    take_back(payout, "9.99")
    payout.refresh_from_db()
    assert payout.owed == Decimal("-8.99")
    assert sweep(payout) == 1
    assert (payout.sent, payout.owed, at_stripe(double, account)) == (Decimal("9.00"), 0, [(1799, 899)])
    take_back(payout, "10.00")
    assert sweep(payout) == 1
    assert (payout.sent, payout.owed, at_stripe(double, account)) == (0, 0, [(1799, 1799)])
    assert sweep(payout) == 0
    assert broken() == []


def test_a_refund_while_stripe_has_not_answered_is_taken_back_of_what_was_sent(double, account, payout):
    double.fail_next("timeout_after_create")
    sweep(payout)
    take_back(payout, "19.99")
    payout.refresh_from_db()
    assert payout.status == "void"
    sweep(payout)
    assert payout.status == "paid"
    sweep(payout)
    assert (payout.sent, payout.owed, at_stripe(double, account)) == (0, 0, [(1799, 1799)])
    assert broken() == []


def test_a_refund_while_stripe_has_not_answered_ends_what_was_never_sent(double, account, payout):
    double.fail_next("reset")
    sweep(payout)
    take_back(payout, "19.99")
    assert sweep(payout) == 0
    assert (payout.status, payout.sending, at_stripe(double, account)) == ("void", None, [])
    assert broken() == []


@pytest.mark.parametrize("fault", ["timeout_after_create", "500", "429", "reset"])
def test_whatever_breaks_it_is_taken_back_once(double, account, payout, fault):
    sweep(payout)
    take_back(payout, "9.99")
    double.fail_next(fault)
    assert sweep(payout) == 0
    assert TransferReversal.objects.get().error == "stripe_unavailable"
    sweep(payout)
    sweep(payout)
    assert (payout.sent, at_stripe(double, account)) == (Decimal("9.00"), [(1799, 899)])
    reversal = TransferReversal.objects.get()
    assert (reversal.error, reversal.made_at is None) == ("", False)
    assert broken() == []


def test_a_reversal_that_stripe_refuses_is_shown_and_tried_again(double, account, payout):
    sweep(payout)
    double.post(f"/v1/transfers/{payout.transfer_id}/reversals", amount=1799)  # somebody did so in the dashboard
    take_back(payout, "9.99")
    assert sweep(payout) == 0
    reversal = TransferReversal.objects.get()
    assert (reversal.error, reversal.made_at) == ("refused", None)
    assert sweep(payout) == 0
    assert TransferReversal.objects.get().attempts == 2


def test_a_lost_dispute_of_what_stripe_passed_on_is_taken_back_by_us(double, seller, bidder, as_user):
    account = onboarded(seller)
    product = sell(seller, bidder)
    double.confirm(pay_for(as_user(bidder), product).json()["payment_intent_id"])
    pay_for(as_user(bidder), product)
    payout = Payout.objects.get()
    assert at_stripe(double, account) == [(1999, 0)]  # all of it, of which Stripe took our fee at once
    take_back(payout, "19.99", reversed_at_stripe=False)
    assert sweep(payout) == 1
    assert at_stripe(double, account) == [(1999, 1799)]
    assert (payout.sent, payout.owed, payout.transfer_id[:3]) == (0, 0, "tr_")
    assert broken() == []


def test_a_refund_through_the_house_brings_the_sellers_share_back_from_where_it_is(
    double, account, payout, order, seller, as_user
):
    caller = as_user(seller)
    refund(caller, order, amount="5.00")  # before it was sent
    sweep(payout)
    assert at_stripe(double, account) == [(1349, 0)]
    refund(caller, order, amount="5.00")  # and after
    sweep(payout)
    assert at_stripe(double, account) == [(1349, 450)]
    refund(caller, order)
    sweep(payout)
    assert (at_stripe(double, account), payout.sent, payout.owed) == ([(1349, 1349)], 0, 0)
    assert broken() == []


def test_a_refund_of_what_stripe_passed_on_is_taken_from_the_seller_by_stripe(double, seller, bidder, as_user):
    account = onboarded(seller)
    product = sell(seller, bidder)
    double.confirm(pay_for(as_user(bidder), product).json()["payment_intent_id"])
    pay_for(as_user(bidder), product)
    payout = Payout.objects.get()
    for amount, left in (("5.00", "13.49"), ("5.00", "8.99"), (None, "0")):
        refund(as_user(seller), payout.order, **({"amount": amount} if amount else {}))
        payout.refresh_from_db()
        assert (payout.sent, payout.owed) == (Decimal(left), 0)
        (passed_on,) = read(double, "/v1/transfers", destination=account.account_id)["data"]
        (fee,) = read(double, "/v1/application_fees", charge=passed_on["source_transaction"])["data"]
        there = passed_on["amount"] - passed_on["amount_reversed"] - fee["amount"] + fee["amount_refunded"]
        assert there == int(payout.sent * 100)
    assert not TransferReversal.objects.exists()
    assert broken() == []


@pytest.mark.parametrize("outcome", ["won", "lost"])
def test_while_a_dispute_is_open_nothing_is_sent(double, account, payout, client, outcome):
    charge = double.intent(Payment.objects.get().intent_id)["latest_charge"]
    dispute = double.post(f"/_double/charges/{charge}/dispute")
    tell(client, "evt_1", "created", dispute)
    assert sweep(payout) == 0
    assert (payout.status, payout.blocked_by) == ("blocked", "disputed")
    tell(client, "evt_2", "closed", double.post(f"/_double/disputes/{dispute['id']}/close", outcome=outcome))
    assert sweep(payout) == (1 if outcome == "won" else 0)
    assert payout.status == ("paid" if outcome == "won" else "void")
    assert at_stripe(double, account) == ([(1799, 0)] if outcome == "won" else [])
    assert broken() == []


def test_a_dispute_that_is_lost_after_it_was_sent_takes_it_back(double, account, payout, client):
    sweep(payout)
    charge = double.intent(Payment.objects.get().intent_id)["latest_charge"]
    dispute = double.post(f"/_double/charges/{charge}/dispute")
    tell(client, "evt_1", "created", dispute)
    assert sweep(payout) == 0
    tell(client, "evt_2", "closed", double.post(f"/_double/disputes/{dispute['id']}/close", outcome="lost"))
    assert sweep(payout) == 1
    assert (at_stripe(double, account), payout.sent, payout.owed) == ([(1799, 1799)], 0, 0)
    assert broken() == []
