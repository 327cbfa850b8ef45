"""Payouts that staff pay outside Stripe, and mark as paid."""

from __future__ import annotations

from decimal import Decimal

import pytest

from payments import errors
from payments.models import OrderEvent, Payout, SellerAccount, TransferReversal
from payments.services import payouts
from payments.tests.conftest import broken_invariants
from payments.tests.payout_helpers import ABLE, dispute, give_back, pay, report, take_back

pytestmark = pytest.mark.django_db


def test_what_was_paid_by_hand_is_reported_as_owed_back(order, staff):
    payout = pay(order)
    payouts.mark_paid_by_hand(payout_id=payout.pk, actor=staff)
    payout.refresh_from_db()
    assert take_back(payout, "5.00").owed == Decimal("-5.00")
    assert not TransferReversal.objects.exists()
    row = report()[0]
    assert (row["due_now"], row["owed_back"], row["status"]) == ("0.00", "5.00", "paid")
    assert broken_invariants() == []


def test_staff_mark_what_they_paid_and_who_did_is_kept(order, staff):
    payout = pay(order)
    payouts.mark_paid_by_hand(payout_id=payout.pk, actor=staff)
    payout.refresh_from_db()
    assert (payout.status, payout.transferred, payout.paid_by, payout.owed) == ("paid", order.total, staff, 0)
    said = OrderEvent.objects.get(order=order, kind="paid_out")
    assert (said.role, said.actor, said.data["route"]) == ("staff", staff, "manual")
    with pytest.raises(errors.PayoutNotDue):
        payouts.mark_paid_by_hand(payout_id=payout.pk, actor=staff)
    assert OrderEvent.objects.filter(kind="paid_out").count() == 1
    assert broken_invariants() == []


def test_what_is_disputed_is_not_marked_as_paid(order, staff):
    payout = pay(order)
    dispute(payout)
    with pytest.raises(errors.PayoutNotDue):
        payouts.mark_paid_by_hand(payout_id=payout.pk, actor=staff)


def test_what_stripe_is_to_send_is_not_paid_by_hand_unless_stripe_refused(order, settings, staff):
    settings.STRIPE_CONNECT = True
    SellerAccount.objects.create(user=order.seller, stripe_account_id="acct_1", **ABLE)
    payout = pay(order)
    for fields in ({}, {"error": "stripe_unavailable", "transfer_pending": payout.amount}):
        Payout.objects.update(**fields)
        with pytest.raises(errors.PayoutNotDue):
            payouts.mark_paid_by_hand(payout_id=payout.pk, actor=staff)
    Payout.objects.update(error="balance_insufficient", transfer_pending=None)
    assert payouts.mark_paid_by_hand(payout_id=payout.pk, actor=staff).route == "manual"
    assert broken_invariants() == []


@pytest.mark.parametrize("connect", [True, False])
def test_a_seller_who_sets_up_no_account_can_be_paid_by_hand(order, settings, staff, connect):
    settings.STRIPE_CONNECT = True
    payout = pay(order)
    settings.STRIPE_CONNECT = connect  # the house may give it up, too
    payouts.mark_paid_by_hand(payout_id=payout.pk, actor=staff)
    payout.refresh_from_db()
    assert (payout.status, payout.route, payout.blocked_by, payout.owed) == ("paid", "manual", "", 0)
    assert broken_invariants() == []


def test_what_is_owed_again_after_a_refund_failed_is_paid_by_hand(order, staff):
    payout = take_back(pay(order, destination="acct_1", fee=Decimal("2.00")), "10.00")
    assert give_back(payout, "10.00").owed == Decimal("9.00")  # Stripe took it, and does not bring it back
    payouts.mark_paid_by_hand(payout_id=payout.pk, actor=staff)
    payout.refresh_from_db()
    assert (payout.owed, payout.transferred, payout.route) == (0, Decimal("17.99"), "destination")
    assert broken_invariants() == []
