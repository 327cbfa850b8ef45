"""Reconciliation of transfers, reversals and fees with Stripe's balance transactions."""

from __future__ import annotations

from decimal import Decimal

import pytest

from auctioncraft.core import clock
from payments.models import Payout, TransferReversal
from payments.services import payouts, transfers
from payments.services.reconciliation import reconcile
from payments.tests.conftest import request_intent, sell
from payments.tests.connect_helpers import onboarded
from payments.tests.reconciliation_helpers import sums, texts
from payments.tests.refund_helpers import refund

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _connect(settings):
    settings.STRIPE_CONNECT = True
    settings.SELLER_COMMISSION_PERCENT = Decimal(10)


def bought(double, winner, product):
    double.confirm(request_intent(winner, product).json()["payment_intent_id"])
    assert request_intent(winner, product).json()["code"] == "order_paid"
    return Payout.objects.get(order__product=product)


@pytest.fixture
def sent(double, winner, product, seller):
    """The payout of a seller onboarded after `product` was paid: a separate transfer."""
    payout = bought(double, winner, product)
    onboarded(seller)
    assert transfers.send_due() == 1
    payout.refresh_from_db()
    return payout


@pytest.fixture
def passed_on(double, winner, seller, bidder):
    """The payout of a seller onboarded before the payment: a destination charge less our fee."""
    onboarded(seller)
    return bought(double, winner, sell(seller, bidder))


def test_reconcile_transfer_agrees(sent):
    found = reconcile()
    assert (found.differences, sums(found)) == (
        [],
        {"charge": ("19.99", "19.99"), "transfer": ("-17.99", "-17.99")},
    )


def test_reconcile_transfer_after_a_reversal_agrees(sent, as_user, seller):
    assert refund(as_user(seller), sent.order, amount="9.99").status_code == 201
    assert transfers.send_due() == 0  # the share came back before the refund
    found = reconcile()
    assert (found.differences, sums(found)) == (
        [],
        {
            "charge": ("19.99", "19.99"),
            "refund": ("-9.99", "-9.99"),
            "transfer": ("-17.99", "-17.99"),
            "transfer_reversal": ("8.99", "8.99"),
        },
    )


def test_reconcile_reports_a_transfer_of_another_amount(sent):
    Payout.objects.update(transferred=Decimal("17.98"))
    found = reconcile()
    assert texts(found) == ["transfer of -17.99 USD at Stripe, here -17.98 USD"]
    assert sums(found)["transfer"] == ("-17.98", "-17.99")


def test_reconcile_reports_a_transfer_made_in_the_dashboard(double, sent):
    account = sent.seller.seller_account.stripe_account_id
    double.post("/v1/transfers", amount=100, currency="usd", destination=account)
    assert texts(reconcile()) == ["transfer of -1.00 USD at Stripe, here nothing"]


def test_reconcile_reports_a_transfer_missing_at_stripe(sent):
    Payout.objects.update(stripe_transfer_id="tr_invented")
    assert f"payout {sent.pk} of -17.99 USD, and nothing moved at Stripe" in texts(reconcile())


def test_reconcile_reports_a_reversal_missing_at_stripe(sent):
    made = TransferReversal.objects.create(
        payout=sent, amount=1, stripe_reversal_id="trr_invented", completed_at=clock.now()
    )
    assert f"transfer reversal {made.pk} of 1.00 USD, and nothing moved at Stripe" in texts(reconcile())


def test_reconcile_ignores_manual_payouts(sent, staff, as_user, seller):
    Payout.objects.update(transferred=Decimal("10.00"))
    double_sent = payouts.mark_paid_by_hand(payout_id=sent.pk, actor=staff, note="Bank transfer.").transferred
    assert double_sent == Decimal("17.99")
    assert reconcile().differences == []


def test_reconcile_destination_charge_agrees_with_its_fee(passed_on):
    found = reconcile()
    assert (found.differences, sums(found)) == (
        [],
        {
            "charge": ("19.99", "19.99"),
            "platform_earning": ("2.00", "2.00"),
            "transfer": ("-19.99", "-19.99"),
        },
    )


def test_reconcile_destination_charge_after_refunds_agrees(passed_on, as_user, seller):
    assert refund(as_user(seller), passed_on.order, amount="5.00").status_code == 201
    assert refund(as_user(seller), passed_on.order).status_code == 201
    found = reconcile()
    assert found.differences == []
    assert sums(found)["transfer_reversal"] == ("17.99", "17.99")  # we keep our fee of 2.00, and refund it


def test_reconcile_reports_a_dashboard_refund_over_the_sellers_share(double, passed_on):
    payment = passed_on.order.payments.get()
    double.post("/v1/refunds", payment_intent=payment.stripe_intent_id, amount=1000, reverse_transfer="true")
    [text] = texts(reconcile())
    # The refund reversed 10.00 of 17.99; the seller's share of it was 9.00, the rest our fee.
    assert text == f"payout {passed_on.pk}: its seller has 7.99 USD at Stripe, here 8.99 USD"


def test_reconcile_reports_another_fee(passed_on):
    passed_on.order.payments.update(fee=Decimal("1.00"))
    assert texts(reconcile()) == ["platform_earning of 2.00 USD at Stripe, here 1.00 USD"]


def test_reconcile_reports_a_payout_that_stripe_refuses(sent):
    Payout.objects.update(
        status="due", paid_at=None, attempts=3, last_error="balance_insufficient", stripe_transfer_id="", transferred=0
    )
    assert f"payout {sent.pk} is stuck after 3 tries: balance_insufficient" in texts(reconcile())
