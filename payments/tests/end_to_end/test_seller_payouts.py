"""Sellers' onboarding, payments and transfers, with a Stripe double that delivers its events to a running server."""

from __future__ import annotations

from decimal import Decimal

import pytest

from payments.models import Order, Payout, SellerAccount, StripeEvent
from payments.services import transfers
from payments.tests.conftest import broken_invariants, request_intent
from payments.tests.connect_helpers import complete_onboarding
from payments.tests.connect_helpers import transfers as at_stripe
from tests.servers import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.servers]


def is_settled():
    """Return whether events came and all of them are processed."""
    return StripeEvent.objects.exists() and not StripeEvent.objects.filter(processed_at=None).exists()


def test_seller_who_onboards_after_the_sale_is_paid_by_transfer(
    delivering_double, winner, product, order, seller, as_user, settings
):
    settings.STRIPE_CONNECT = True
    delivering_double.confirm(request_intent(winner, product).json()["payment_intent_id"])
    wait_until(lambda: Payout.objects.filter(status="blocked").exists() and is_settled())
    caller = as_user(seller)
    complete_onboarding(caller.post("/api/payments/seller/onboard/").json()["url"])
    wait_until(lambda: caller.get("/api/payments/seller/").json()["state"] == "enabled" and is_settled())
    assert transfers.send_due() == 1
    (payout,) = caller.get("/api/payments/payouts/").json()["results"]
    assert (payout["status"], payout["sent"], payout["due"]) == ("paid", "19.99", "0.00")
    account = SellerAccount.objects.get()
    assert at_stripe(delivering_double, account) == [(1999, 0)]
    refunded = caller.post(f"/api/payments/orders/{order.pk}/refund/", {"amount": "9.99"})
    assert refunded.status_code == 201
    wait_until(is_settled)
    assert at_stripe(delivering_double, account) == [(1999, 999)]
    assert broken_invariants() == []


def test_onboarded_seller_is_paid_with_the_payment(delivering_double, winner, product, seller, as_user, settings):
    settings.STRIPE_CONNECT = True
    complete_onboarding(as_user(seller).post("/api/payments/seller/onboard/").json()["url"])
    wait_until(lambda: as_user(seller).get("/api/payments/seller/").json()["state"] == "enabled" and is_settled())
    delivering_double.confirm(request_intent(winner, product).json()["payment_intent_id"])
    wait_until(lambda: Order.objects.get().status == "paid" and is_settled())
    assert Payout.objects.values_list("route", "status", "transferred").get() == (
        "destination",
        "paid",
        Decimal("19.99"),
    )
    assert broken_invariants() == []
