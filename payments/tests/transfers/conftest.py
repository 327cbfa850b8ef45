"""Stripe Connect turned on, a seller with an account, and a payout."""

from __future__ import annotations

import uuid
from decimal import Decimal

import pytest

from payments.models import Payout
from payments.tests.conftest import request_intent
from payments.tests.connect_helpers import onboarded
from tests import factories


@pytest.fixture(autouse=True)
def _connect(settings):
    settings.STRIPE_CONNECT = True
    settings.SELLER_COMMISSION_PERCENT = Decimal(10)


@pytest.fixture
def seller():
    """A seller with an email of its own."""
    return factories.user(f"{uuid.uuid4()}@example.com")


@pytest.fixture
def account(double, winner, product, seller):
    """The account of a seller onboarded after `product` was paid: 17.99 of 19.99 are due."""
    double.confirm(request_intent(winner, product).json()["payment_intent_id"])
    assert request_intent(winner, product).json()["code"] == "order_paid"
    return onboarded(seller)


@pytest.fixture
def payout(account):
    return Payout.objects.get()
