"""The whole way, over real HTTP: the double delivers its events to a running server."""

from __future__ import annotations

import time
from decimal import Decimal

import pytest

from auctioncraft.core.invariants import find_violations
from payments.models import Order, Payment, Payout, SellerAccount, StripeEvent
from payments.services import transfers
from payments.tests.conftest import request_intent
from payments.tests.connect_helpers import complete
from payments.tests.connect_helpers import transfers as at_stripe

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.servers]


def wait_for(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, list(StripeEvent.objects.values())
        time.sleep(0.05)


def settled():
    return StripeEvent.objects.exists() and not StripeEvent.objects.filter(processed_at=None).exists()


def test_paying_at_stripe_pays_the_order(calling_double, winner, product, order):
    intent_id = request_intent(winner, product).json()["payment_intent_id"]
    calling_double.confirm(intent_id)
    wait_for(lambda: Order.objects.get().status == "paid" and settled())
    assert list(Payment.objects.values_list("stripe_intent_id", "status")) == [(intent_id, "succeeded")]
    assert winner.get(f"/api/payments/orders/{order.pk}/").json()["status"] == "paid"
    assert find_violations("payments") == {}


def test_a_decline_then_a_good_card_pays_the_order(calling_double, winner, product):
    intent_id = request_intent(winner, product).json()["payment_intent_id"]
    calling_double.confirm(intent_id, "pm_card_chargeDeclined")
    wait_for(lambda: Payment.objects.get().last_error == "generic_decline")
    calling_double.confirm(intent_id)
    wait_for(lambda: Order.objects.get().status == "paid" and settled())


def test_3d_secure_pays_the_order_once_the_bank_agrees(calling_double, winner, product):
    intent_id = request_intent(winner, product).json()["payment_intent_id"]
    calling_double.confirm(intent_id, "pm_card_threeDSecure2Required")
    wait_for(lambda: StripeEvent.objects.filter(type="payment_intent.requires_action").exists() and settled())
    assert Order.objects.get().status == "awaiting_payment"
    calling_double.post(f"/_double/payment_intents/{intent_id}/authenticate", outcome="succeed")
    wait_for(lambda: Order.objects.get().status == "paid" and settled())


def test_from_a_sale_over_the_sellers_onboarding_to_the_money_on_their_account(
    calling_double, winner, product, order, seller, as_user, settings
):
    settings.STRIPE_CONNECT = True
    calling_double.confirm(request_intent(winner, product).json()["payment_intent_id"])
    wait_for(lambda: Payout.objects.filter(status="blocked").exists() and settled())
    caller = as_user(seller)
    complete(caller.post("/api/payments/seller/onboard/").json()["url"])
    wait_for(lambda: caller.get("/api/payments/seller/").json()["state"] == "enabled" and settled())
    assert transfers.send_due() == 1
    (payout,) = caller.get("/api/payments/payouts/").json()["results"]
    assert (payout["status"], payout["sent"], payout["due"]) == ("paid", "19.99", "0.00")
    account = SellerAccount.objects.get()
    assert at_stripe(calling_double, account) == [(1999, 0)]
    refunded = caller.post(f"/api/payments/orders/{order.pk}/refund/", {"amount": "9.99"})
    assert refunded.status_code == 201
    wait_for(settled)
    assert transfers.send_due() == 1
    assert at_stripe(calling_double, account) == [(1999, 999)]
    assert find_violations("payments") == {}


def test_an_able_seller_is_paid_with_the_payment(calling_double, winner, product, seller, as_user, settings):
    settings.STRIPE_CONNECT = True
    complete(as_user(seller).post("/api/payments/seller/onboard/").json()["url"])
    wait_for(lambda: as_user(seller).get("/api/payments/seller/").json()["state"] == "enabled" and settled())
    calling_double.confirm(request_intent(winner, product).json()["payment_intent_id"])
    wait_for(lambda: Order.objects.get().status == "paid" and settled())
    assert Payout.objects.values_list("route", "status", "transferred").get() == (
        "destination",
        "paid",
        Decimal("19.99"),
    )
    assert find_violations("payments") == {}
