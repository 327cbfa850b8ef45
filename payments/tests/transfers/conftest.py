"""Stripe Connect turned on, a seller with an account, and a payout."""

from __future__ import annotations

from decimal import Decimal

import pytest

from payments.models import Payout
from payments.tests.conftest import request_intent
from payments.tests.connect_helpers import onboarded


@pytest.fixture(autouse=True)
def _connect(settings):
    settings.STRIPE_CONNECT = True
    settings.SELLER_COMMISSION_PERCENT = Decimal(10)


@pytest.fixture
def account(double, winner, product, seller):
    """The account of a seller onboarded after `product` was paid: 17.99 of 19.99 are due."""
    double.confirm(request_intent(winner, product).json()["payment_intent_id"])
    assert request_intent(winner, product).json()["code"] == "order_paid"
    return onboarded(seller)


@pytest.fixture
def payout(account):
    return Payout.objects.get()
