"""The job that sends due payouts, each once."""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from threading import Barrier, BrokenBarrierError

import pytest
from django.db import transaction

from auctioncraft.core import clock
from payments.models import OrderEvent, Payment, Payout, SellerAccount
from payments.services import payouts, sellers, stripe_request, transfers
from payments.tests.conftest import broken_invariants, request_intent, run_concurrently, sell
from payments.tests.connect_helpers import onboarded, read, refresh
from payments.tests.connect_helpers import transfers as at_stripe
from payments.tests.payout_helpers import claw_back
from payments.tests.transfers.transfer_helpers import run_due_transfers

pytestmark = pytest.mark.django_db


def test_transfer_to_seller_onboarded_later_sends_the_blocked_payout(double, account, payout, order):
    assert (payout.status, payout.blocked_by) == ("blocked", "not_onboarded")
    assert run_due_transfers(payout) == 1
    assert at_stripe(double, account) == [(1799, 0)]
    assert (payout.status, payout.transferred, payout.transfer_pending, payout.last_error) == (
        "paid",
        Decimal("17.99"),
        None,
        "",
    )
    said = OrderEvent.objects.get(order=order, kind="paid_out")
    assert (said.role, said.data) == ("system", {"amount": "17.99", "currency": "USD", "route": "transfer"})
    assert run_due_transfers(payout) == 0
    assert at_stripe(double, account) == [(1799, 0)]
    assert broken_invariants() == []


def test_transfer_is_funded_by_the_buyers_charge(double, account, payout):
    run_due_transfers(payout)
    (sent,) = read(double, "/v1/transfers", destination=account.stripe_account_id)["data"]
    charge = double.intent(Payment.objects.get().stripe_intent_id)["latest_charge"]
    assert (sent["id"], sent["source_transaction"]) == (payout.stripe_transfer_id, charge)
    assert sent["metadata"] == {"payout": str(payout.pk), "order": str(payout.order_id)}


def test_transfer_to_seller_not_onboarded_is_not_made(double, winner, product, seller):
    double.confirm(request_intent(winner, product).json()["payment_intent_id"])
    request_intent(winner, product)
    sellers.onboard(user=seller)
    payout = Payout.objects.get()
    assert run_due_transfers(payout) == 0
    assert (payout.status, payout.attempts) == ("blocked", 0)


def test_transfer_to_seller_disabled_later_is_not_made(double, account, payout):
    Payout.objects.update(status="due", blocked_by="")
    double.post(f"/_double/accounts/{account.stripe_account_id}", payouts_enabled="false")
    refresh(account)
    run_due_transfers(payout)
    Payout.objects.update(status="due", blocked_by="")
    run_due_transfers(payout)
    assert (payout.status, at_stripe(double, account)) == ("blocked", [])


def test_transfer_without_connect_is_not_made(double, account, payout, settings):
    settings.STRIPE_CONNECT = False
    Payout.objects.update(status="due", blocked_by="")
    assert run_due_transfers(payout) == 0
    assert at_stripe(double, account) == []


@pytest.mark.parametrize("fault", ["timeout_after_create", "500", "429", "reset"])
def test_transfer_is_made_once_whatever_fails(double, account, payout, fault):
    double.fail_next(fault)
    assert run_due_transfers(payout) == 0
    assert (payout.transfer_pending, payout.last_error, payout.status) == (
        Decimal("17.99"),
        "stripe_unavailable",
        "due",
    )
    run_due_transfers(payout)
    run_due_transfers(payout)
    assert (payout.status, payout.last_error, payout.transferred) == ("paid", "", Decimal("17.99"))
    assert at_stripe(double, account) == [(1799, 0)]
    assert broken_invariants() == []


def test_transfer_unanswered_is_found_after_its_key_expired(double, account, payout):
    double.fail_next("timeout_after_create")
    run_due_transfers(payout)
    Payout.objects.update(idempotency_key=uuid.uuid4())  # Stripe forgets keys after 24 hours
    assert run_due_transfers(payout) == 1
    assert at_stripe(double, account) == [(1799, 0)]


def test_transfer_retries_back_off(stripe_unreachable, order, seller):
    SellerAccount.objects.create(user=seller, stripe_account_id="acct_1", transfers_active=True, payouts_enabled=True)
    payment = Payment.objects.create(
        order=order, amount=order.total, currency="USD", status="succeeded", received=order.total,
        stripe_intent_id="pi_1",
        succeeded_at=clock.now(),
    )  # fmt: skip
    with transaction.atomic():
        payouts.open_payout(order=order, payment=payment, at=clock.now())
    payout, waits = Payout.objects.get(), []
    for _ in range(4):
        run_due_transfers(payout)
        waits.append((payout.next_attempt_at - clock.now()) / timedelta(minutes=1))
    assert all(0.74 * after <= wait <= after for wait, after in zip(waits, (1, 2, 4, 8), strict=True))
    assert transfers.send_due() == 0
    payout.refresh_from_db()
    assert payout.attempts == 4  # not due yet
    Payout.objects.update(attempts=60)
    run_due_transfers(payout)
    assert payout.next_attempt_at - clock.now() <= timedelta(days=1)


def test_transfer_that_stripe_refuses_is_shown_and_retried_with_another_key(double, account, payout):
    double.post(f"/_double/accounts/{account.stripe_account_id}", charges_enabled="false")  # without an event
    before = payout.idempotency_key
    assert run_due_transfers(payout) == 0
    assert (payout.last_error, payout.transfer_pending) == ("insufficient_capabilities_for_transfer", None)
    assert payout.idempotency_key != before
    double.post(f"/_double/accounts/{account.stripe_account_id}", charges_enabled="true")
    assert run_due_transfers(payout) == 1
    assert at_stripe(double, account) == [(1799, 0)]


def test_transfer_after_a_refund_sends_the_rest(double, account, payout):
    claw_back(payout, "9.99")
    assert run_due_transfers(payout) == 1
    assert at_stripe(double, account) == [(900, 0)]  # 17.99 - 17.99 x 9.99 / 19.99
    assert broken_invariants() == []


def test_transfer_after_a_full_refund_is_not_made(double, account, payout):
    claw_back(payout, "19.99")
    assert run_due_transfers(payout) == 0
    assert (payout.status, payout.owed, at_stripe(double, account)) == ("void", 0, [])
    assert broken_invariants() == []


def test_transfer_in_currencies_with_no_or_three_decimals(double, seller, bidder, as_user):
    amounts = {"JPY": "1001", "KWD": "1.230"}
    for currency, price in amounts.items():
        product = sell(seller, bidder, price, currency=currency)
        double.confirm(request_intent(as_user(bidder), product).json()["payment_intent_id"])
        request_intent(as_user(bidder), product)
    account = onboarded(seller)
    assert transfers.send_due() == 2
    assert at_stripe(double, account) == [(901, 0), (1110, 0)]
    assert set(Payout.objects.values_list("amount", flat=True)) == {Decimal(901), Decimal("1.110")}


def test_transfer_that_fails_does_not_stop_others(double, account, payout, seller, bidder, as_user):
    SellerAccount.objects.update(payouts_enabled=False)
    product = sell(seller, bidder)
    double.confirm(request_intent(as_user(bidder), product).json()["payment_intent_id"])
    request_intent(as_user(bidder), product)
    refresh(account)
    Payment.objects.filter(order=payout.order).update(stripe_intent_id="pi_gone")
    assert run_due_transfers(payout) == 1
    assert payout.last_error == "resource_missing"
    assert at_stripe(double, account) == [(1799, 0)]


@pytest.mark.django_db(transaction=True)
def test_transfer_by_ten_concurrent_jobs_is_made_once(slow_double, seller, bidder, as_user):
    product = sell(seller, bidder)
    slow_double.confirm(request_intent(as_user(bidder), product).json()["payment_intent_id"])
    request_intent(as_user(bidder), product)
    account = onboarded(seller)
    assert sum(run_concurrently(10, transfers.send_due)) == 1
    assert at_stripe(slow_double, account) == [(1799, 0)]
    payout = Payout.objects.get()
    claw_back(payout, "9.99")
    assert sum(run_concurrently(10, transfers.send_due)) == 1
    assert at_stripe(slow_double, account) == [(1799, 899)]
    assert OrderEvent.objects.filter(kind="paid_out").count() == 1


@pytest.mark.django_db(transaction=True)
def test_transfer_without_claims_is_requested_many_times(slow_double, seller, bidder, as_user, monkeypatch):
    """The negative control: without the lease, only Stripe's key prevents a second transfer."""
    product = sell(seller, bidder)
    slow_double.confirm(request_intent(as_user(bidder), product).json()["payment_intent_id"])
    request_intent(as_user(bidder), product)
    account = onboarded(seller)
    monkeypatch.setattr(stripe_request, "ENDLESS", replace(stripe_request.ENDLESS, lease=timedelta(days=-1)))
    claims, claim, two_at_once = [], transfers._claim, Barrier(2, timeout=5)

    def claim_beside_another(payout):
        claims.append(found := claim(payout))
        with suppress(BrokenBarrierError):
            two_at_once.wait()
        return found

    monkeypatch.setattr(transfers, "_claim", claim_beside_another)

    def send_until_two_claimed():
        # A run that finds the row locked by another's claim skips it.
        for _ in range(1000):
            if len(claims) < 2:
                transfers.send_due()

    run_concurrently(10, send_until_two_claimed)
    assert sum(found is not None for found in claims) > 1
    assert at_stripe(slow_double, account) == [(1799, 0)]
