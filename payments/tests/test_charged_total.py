"""Nobody is charged more than the total of their order, which is fixed by the sale."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db.models import F

from auctions.models import Product
from payments import stripe_gateway
from payments.models import Order, Payment
from payments.services import auto_charge
from payments.tests.card_helpers import save
from payments.tests.conftest import broken_invariants, make_due, request_intent, sell

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _premium(settings):
    settings.BUYERS_PREMIUM_BANDS = ((Decimal(0), Decimal(20)),)


def sell_with_shipping(seller, bidder):
    """Return an order of 100 + 20 premium + 5 shipping."""
    return Order.objects.get(product=sell(seller, bidder, "100", shipping=Decimal(5)))


@pytest.fixture
def sold(seller, bidder):
    """An order of 125."""
    return sell_with_shipping(seller, bidder)


def raise_terms(order):
    """Change the row of the product after the sale, as no service can."""
    Product.objects.filter(pk=order.product_id).update(shipping=F("shipping") + 5000, premium_bands=[["0", "90"]])


def test_checkout_after_the_sale_charges_the_order_whatever_the_product_says(double, winner, sold):
    raise_terms(sold)
    shown = request_intent(winner, sold.product).json()
    assert (shown["amount"], shown["order"]["total"]) == ("125.00", "125.00")
    assert double.intent(shown["payment_intent_id"])["amount"] == 12500


def test_checkout_of_an_intent_raised_at_stripe_creates_another(double, winner, sold):
    first = request_intent(winner, sold.product).json()["payment_intent_id"]
    double.post(f"/v1/payment_intents/{first}", amount=99900)
    second = request_intent(winner, sold.product).json()["payment_intent_id"]
    assert (double.intent(first)["status"], double.intent(second)["amount"]) == ("canceled", 12500)


@pytest.mark.parametrize("raised_at_stripe", [False, True])
def test_auto_charge_charges_the_order_whatever_the_product_says(
    double, winner, bidder, seller, settings, monkeypatch, raised_at_stripe
):
    settings.AUTO_CHARGE = True
    save(winner, double, charge=True)
    order = sell_with_shipping(seller, bidder)
    raise_terms(order)
    if raised_at_stripe:
        first = request_intent(winner, order.product).json()["payment_intent_id"]
        double.post(f"/v1/payment_intents/{first}", amount=99900)
    make_due()
    auto_charge.charge_winners()
    payment = Payment.objects.get(status="succeeded")
    assert payment.received == order.total == Decimal(125)
    assert stripe_gateway.retrieve_intent(payment.stripe_intent_id).amount_minor == 12500
    Product.objects.update(shipping=5, premium_bands=[["0", "20"]])
    assert broken_invariants() == []
