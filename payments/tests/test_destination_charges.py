"""Payments to onboarded sellers: destination charges less our fee."""

from __future__ import annotations

from decimal import Decimal

import pytest

from payments.models import Payment, Payout, SellerAccount
from payments.tests.conftest import request_intent
from payments.tests.connect_helpers import (
    onboarded,
    transfers,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _connect(settings):
    settings.STRIPE_CONNECT = True


def test_payment_to_onboarded_seller_is_a_destination_charge_less_the_fee(
    double, winner, product, order, seller, settings
):
    settings.SELLER_COMMISSION_PERCENT = Decimal(10)
    account = onboarded(seller)
    intent_id = request_intent(winner, product).json()["payment_intent_id"]
    payment = Payment.objects.get()
    assert (payment.destination, payment.fee) == (account.stripe_account_id, Decimal("2.00"))
    intent = double.confirm(intent_id)
    assert (intent["transfer_data"], intent["application_fee_amount"]) == (
        {"destination": account.stripe_account_id},
        200,
    )
    assert transfers(double, account) == [(1999, 0)]
    settings.SELLER_COMMISSION_PERCENT = Decimal(20)  # the payment keeps its fee
    assert request_intent(winner, product).json()["code"] == "order_paid"
    payout = Payout.objects.get()
    assert (payout.route, payout.status, payout.transferred) == ("destination", "paid", Decimal("17.99"))


def test_payment_to_seller_without_account_has_no_destination(double, winner, product, order):
    request_intent(winner, product)
    payment = Payment.objects.get()
    assert (payment.destination, payment.fee) == ("", 0)


def test_payment_to_seller_disabled_meanwhile_is_retried_without_destination(double, winner, product, seller):
    account = onboarded(seller)
    double.post(f"/_double/accounts/{account.stripe_account_id}", charges_enabled="false")
    intent_id = request_intent(winner, product).json()["payment_intent_id"]
    assert double.confirm(intent_id)["status"] == "succeeded"
    assert (Payment.objects.get().destination, transfers(double, account)) == ("", [])
    assert request_intent(winner, product).json()["code"] == "order_paid"
    assert Payout.objects.get().route == "transfer"


def test_payment_retried_after_a_timeout_sends_the_same_parameters(double, winner, product, seller, settings):
    account = onboarded(seller)
    double.fail_next("timeout_after_create")
    assert request_intent(winner, product).status_code == 503
    settings.SELLER_COMMISSION_PERCENT = Decimal(10)
    SellerAccount.objects.update(payouts_enabled=False)
    intent_id = request_intent(winner, product).json()["payment_intent_id"]
    assert double.intent(intent_id)["transfer_data"] == {"destination": account.stripe_account_id}
    assert Payment.objects.count() == 1
