"""The seller's Stripe account dies after the PaymentIntent was created: the buyer pays the auction house instead."""

from __future__ import annotations

import pytest

from payments import stripe_gateway
from payments.models import Order, OrderEvent, Payment, Payout, SellerAccount
from payments.services import auto_charge
from payments.tests.card_helpers import save
from payments.tests.conftest import broken_invariants, make_due, request_intent, sell
from payments.tests.connect_helpers import onboarded, refresh
from payments.tests.connect_helpers import transfers as at_stripe
from payments.tests.expiry_helpers import expire, strikes

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _connect(settings):
    settings.STRIPE_CONNECT = True


@pytest.fixture
def account(double, seller):
    """The account of an onboarded seller."""
    return onboarded(seller)


@pytest.fixture
def first(account, winner, product):
    """The intent that passes the payment on to the seller."""
    return request_intent(winner, product).json()["payment_intent_id"]


def kill(double, account):
    """Let Stripe disable the account, without an event."""
    assert "error" not in double.post(f"/_double/accounts/{account.stripe_account_id}", charges_enabled="false")


@pytest.mark.parametrize("heard", [True, False])
def test_intent_is_created_again_without_the_destination(double, account, first, winner, product, order, heard):
    kill(double, account)
    if heard:
        refresh(account)
    assert double.confirm(first)["error"]["code"] == "insufficient_capabilities_for_transfer"
    again = request_intent(winner, product)
    assert again.status_code == 200
    second = again.json()["payment_intent_id"]
    assert (double.intent(first)["status"], second != first) == ("canceled", True)
    assert request_intent(winner, product).json()["payment_intent_id"] == second
    assert double.confirm(second)["status"] == "succeeded"
    assert request_intent(winner, product).json()["code"] == "order_paid"
    payout = Payout.objects.get()
    assert (payout.route, payout.status, payout.blocked_by) == ("transfer", "blocked", "not_onboarded")
    assert at_stripe(double, account) == []
    assert Payment.objects.filter(status="succeeded").get().amount == order.total
    assert broken_invariants() == []


def test_intent_of_a_live_account_stays(double, account, first, winner, product):
    assert request_intent(winner, product).json()["payment_intent_id"] == first


def test_intent_of_an_account_that_stripe_knows_no_more_is_created_again(double, account, first, winner, product):
    SellerAccount.objects.update(stripe_account_id="acct_1gone")
    Payment.objects.update(destination="acct_1gone")
    second = request_intent(winner, product).json()["payment_intent_id"]
    assert (second != first, double.intent(second)["transfer_data"]) == (True, None)


def test_intent_is_kept_while_stripe_does_not_answer_about_the_account(double, account, first, winner, product):
    double.fail_next("500", method="GET", path="/v1/accounts")
    assert request_intent(winner, product).status_code == 503
    assert request_intent(winner, product).json()["payment_intent_id"] == first


def test_order_expired_with_a_dead_account_is_no_strike(double, account, first, bidder, product, order):
    kill(double, account)
    expire(product)
    order.refresh_from_db()
    assert (order.status, strikes(bidder)) == ("expired", 0)
    assert OrderEvent.objects.get(order=order, kind="expired").data == {"reason": "seller_unable"}
    assert broken_invariants() == []


def test_order_expired_after_the_buyer_got_another_intent_is_a_strike(
    double, account, first, bidder, winner, product, order
):
    kill(double, account)
    request_intent(winner, product)
    expire(product)
    order.refresh_from_db()
    assert (order.status, strikes(bidder)) == ("expired", 1)


@pytest.mark.parametrize("when", ["before", "between"])
def test_auto_charge_with_a_dead_account_charges_without_it(
    double, account, winner, bidder, seller, settings, monkeypatch, when
):
    settings.AUTO_CHARGE = True
    save(winner, double, charge=True)
    order = Order.objects.get(product=sell(seller, bidder, "25"))
    if when == "before":
        kill(double, account)
    else:
        confirm = stripe_gateway.charge_saved_card
        monkeypatch.setattr(
            stripe_gateway, "charge_saved_card", lambda **given: kill(double, account) or confirm(**given)
        )
    for _ in range(2):
        make_due()
        auto_charge.charge_winners()
    order.refresh_from_db()
    assert (order.status, order.auto_charge) == ("paid", "done")
    assert not OrderEvent.objects.filter(order=order, kind="payment_failed").exists()
    assert Payment.objects.get(status="succeeded").destination == ""
    assert at_stripe(double, account) == []
    assert broken_invariants() == []
