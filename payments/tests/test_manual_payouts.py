"""Payouts that staff make outside Stripe and mark as paid."""

from __future__ import annotations

from decimal import Decimal

import pytest

from payments import errors
from payments.models import OrderEvent, Payout, SellerAccount, TransferReversal
from payments.services import payouts
from payments.tests.conftest import broken_invariants
from payments.tests.payout_helpers import ABLE, claw_back, dispute, pay, report, restore

pytestmark = pytest.mark.django_db


def test_manual_payout_refunded_later_is_reported_as_owed_back(order, staff):
    payout = pay(order)
    payouts.mark_paid_by_hand(payout_id=payout.pk, actor=staff, note="Bank transfer.")
    payout.refresh_from_db()
    assert claw_back(payout, "5.00").owed == Decimal("-5.00")
    assert not TransferReversal.objects.exists()
    row = report()[0]
    assert (row["due_now"], row["owed_back"], row["status"]) == ("0.00", "5.00", "paid")
    assert broken_invariants() == []


def test_manual_payout_records_who_marked_it(order, staff):
    payout = pay(order)
    payouts.mark_paid_by_hand(payout_id=payout.pk, actor=staff, note="Bank transfer.")
    payout.refresh_from_db()
    assert (payout.status, payout.transferred, payout.paid_by, payout.owed) == ("paid", order.total, staff, 0)
    said = OrderEvent.objects.get(order=order, kind="paid_out")
    assert (said.role, said.actor, said.data["route"]) == ("staff", staff, "manual")
    with pytest.raises(errors.PayoutNotDue):
        payouts.mark_paid_by_hand(payout_id=payout.pk, actor=staff, note="Bank transfer.")
    assert OrderEvent.objects.filter(kind="paid_out").count() == 1
    assert broken_invariants() == []


def test_manual_payout_of_disputed_order_is_409(order, staff):
    payout = pay(order)
    dispute(payout)
    with pytest.raises(errors.PayoutNotDue):
        payouts.mark_paid_by_hand(payout_id=payout.pk, actor=staff, note="Bank transfer.")


def test_manual_payout_due_by_transfer_is_409_unless_stripe_refused(order, settings, staff):
    settings.STRIPE_CONNECT = True
    SellerAccount.objects.create(user=order.seller, stripe_account_id="acct_1", **ABLE)
    payout = pay(order)
    for fields in ({}, {"last_error": "stripe_unavailable", "transfer_pending": payout.amount}):
        Payout.objects.update(**fields)
        with pytest.raises(errors.PayoutNotDue):
            payouts.mark_paid_by_hand(payout_id=payout.pk, actor=staff, note="Bank transfer.")
    Payout.objects.update(last_error="balance_insufficient", transfer_pending=None)
    assert payouts.mark_paid_by_hand(payout_id=payout.pk, actor=staff, note="Bank transfer.").route == "manual"
    assert broken_invariants() == []


@pytest.mark.parametrize("connect", [True, False])
def test_manual_payout_to_seller_without_account_is_possible(order, settings, staff, connect):
    settings.STRIPE_CONNECT = True
    payout = pay(order)
    settings.STRIPE_CONNECT = connect  # Connect may be turned off later
    payouts.mark_paid_by_hand(payout_id=payout.pk, actor=staff, note="Bank transfer.")
    payout.refresh_from_db()
    assert (payout.status, payout.route, payout.blocked_by, payout.owed) == ("paid", "manual", "", 0)
    assert broken_invariants() == []


def test_manual_payout_after_a_failed_refund_pays_the_difference(order, staff):
    payout = claw_back(pay(order, destination="acct_1", fee=Decimal("2.00")), "10.00", reversed_at_stripe=True)
    assert restore(payout, "10.00").owed == Decimal("9.00")  # Stripe reversed it and does not send it again
    payouts.mark_paid_by_hand(payout_id=payout.pk, actor=staff, note="Bank transfer.")
    payout.refresh_from_db()
    assert (payout.owed, payout.transferred, payout.route) == (0, Decimal("17.99"), "destination")
    assert broken_invariants() == []
