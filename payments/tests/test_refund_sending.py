"""A requested refund reaches Stripe once, whatever fails."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models import F

from auctioncraft.core import clock
from payments import errors, stripe_gateway
from payments.models import Payment, Refund
from payments.services import refunds
from payments.tasks import send_refunds
from payments.tests.conftest import broken_invariants, make_due, run_concurrently, sell, total_delay
from payments.tests.refund_helpers import at_stripe, pay, refund, refund_totals
from tests import admin_pages

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def seller_client(as_user, seller):
    """An API client of the seller."""
    return as_user(seller)


@pytest.fixture
def paid(client, double, winner, product):
    """An order of 19.99 USD that is paid."""
    return pay(client, double, winner, product)


def later(**time):
    """Let time pass until the next attempt."""
    Refund.objects.update(next_attempt_at=F("next_attempt_at") - timedelta(**time))


@pytest.mark.parametrize("fault", ["500", "429", "reset", "timeout_after_create"])
def test_refund_that_stripe_did_not_answer_is_retried_and_made_once(double, paid, seller_client, fault):
    double.fail_next(fault)
    answer = refund(seller_client, paid, amount="5")
    assert (answer.status_code, answer.json()["refund"]["status"]) == (201, "pending")
    assert refunds.send_due() == 0  # not due yet
    later(minutes=3)
    refunds.send_due()  # Stripe may answer the old key with its stored failure
    later(minutes=3)
    refunds.send_due()
    assert refund_totals(paid) == ("5.000", "5.000", "succeeded")
    assert len(at_stripe(double, paid)) == 1
    assert refunds.send_due() == 0
    assert broken_invariants() == []


def test_refund_after_a_crash_before_the_commit_is_made_once(double, paid, seller_client, monkeypatch):
    def crash(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(refunds, "_record", crash)
        with pytest.raises(KeyboardInterrupt):
            refund(seller_client, paid, amount="5")
    assert refund_totals(paid) == ("0.000", "5.000", "creating")
    later(minutes=3)
    send_refunds()
    assert (refund_totals(paid), len(at_stripe(double, paid))) == (("5.000", "5.000", "succeeded"), 1)


def test_refund_after_a_crash_before_the_request_is_sent_by_the_job(double, paid, seller_client, monkeypatch):
    def crash(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(refunds, "send_now", crash)
        with pytest.raises(KeyboardInterrupt):
            refund(seller_client, paid, amount="5")
    later(minutes=3)
    send_refunds()
    assert (refund_totals(paid), len(at_stripe(double, paid))) == (("5.000", "5.000", "succeeded"), 1)


def test_refund_after_the_key_expired_is_searched_before_it_is_sent(double, paid, seller_client):
    double.fail_next("timeout_after_create")
    refund(seller_client, paid, amount="5")
    Refund.objects.update(idempotency_key=uuid.uuid4())  # as if Stripe had forgotten it
    later(days=2)
    assert refunds.send_due() == 1
    assert (refund_totals(paid), len(at_stripe(double, paid))) == (("5.000", "5.000", "succeeded"), 1)


def test_refund_whose_key_returns_a_stored_failure_gets_a_new_key(double, paid, seller_client, monkeypatch):
    def spent(**_):
        raise errors.StoredFailure

    with monkeypatch.context() as patched:
        patched.setattr(stripe_gateway, "create_refund", spent)
        assert refund(seller_client, paid, amount="5").json()["refund"]["status"] == "pending"
    later(minutes=3)
    assert refunds.send_due() == 1
    assert (refund_totals(paid), len(at_stripe(double, paid))) == (("5.000", "5.000", "succeeded"), 1)


def test_refund_retries_use_the_same_key(double, paid, seller_client, monkeypatch):
    keys = []

    def away(*, idempotency_key, **_):
        keys.append(idempotency_key)
        raise errors.StripeUnavailable

    with monkeypatch.context() as patched:
        patched.setattr(stripe_gateway, "create_refund", away)
        refund(seller_client, paid, amount="5")
        for _ in range(2):
            later(minutes=5)
            assert refunds.send_due() == 0
    assert len(keys) == 3
    assert set(keys) == {str(Refund.objects.get().idempotency_key)}


def test_refund_is_attempted_for_more_than_a_week():
    totals = [total_delay(refunds.POLICY, pk=pk) for pk in range(100)]
    assert timedelta(days=7) < min(totals)
    assert max(totals) < timedelta(days=10)


def test_refund_during_an_outage_is_never_given_up(double, paid, seller_client, stripe_unreachable):
    refund(seller_client, paid)
    for _ in range(refunds.POLICY.max_attempts + 5):
        make_due()
        refunds.send_due()
    waiting = Refund.objects.get()
    assert waiting.last_error == "stripe_unavailable"
    assert waiting.next_attempt_at - clock.now() > timedelta(hours=17)
    assert waiting.attempts < refunds.POLICY.max_attempts


def test_refund_retries_back_off_and_end(double, paid, seller_client, monkeypatch):
    def fail(_refund):
        raise errors.StripeUnavailable

    monkeypatch.setattr(refunds, "_find_or_create", fail)
    refund(seller_client, paid)
    assert Refund.objects.get().attempts == 0  # the request itself does not use up the job's attempts
    for attempts in range(1, refunds.POLICY.max_attempts):
        make_due()
        refunds.send_due()
        waiting = Refund.objects.get()
        longest = min(timedelta(seconds=10) * 2 ** (attempts - 1), timedelta(days=1))
        assert waiting.attempts == attempts
        assert longest * 0.7 < waiting.next_attempt_at - clock.now() <= longest
        assert refunds.send_due() == 0
        assert Refund.objects.get().attempts == attempts
    for _ in range(2):
        make_due()
        refunds.send_due()
    waiting = Refund.objects.get()
    assert (waiting.attempts, waiting.next_attempt_at, waiting.last_error) == (
        refunds.POLICY.max_attempts,
        None,
        "stripe_unavailable",
    )
    Refund.objects.update(created_at=F("created_at") - timedelta(days=5))
    assert any("is creating" in line for line in broken_invariants())


def test_refund_calls_stripe_outside_a_transaction(double, paid, seller_client, monkeypatch):
    seen, ask = [], stripe_gateway.create_refund

    def spy(**given):
        seen.append((connection.in_atomic_block, Refund.objects.get().status))
        return ask(**given)

    monkeypatch.setattr(stripe_gateway, "create_refund", spy)
    refund(seller_client, paid)
    assert seen == [(False, "creating")]


def test_refund_inside_a_transaction_raises(paid, seller):
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        refunds.refund_order(order_id=paid.pk, actor=seller)


def test_refund_ten_concurrent_requests_with_one_key_make_one(double, paid, seller_client):
    answers = run_concurrently(10, lambda: refund(seller_client, paid, key="k1", amount="5"))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["refund"]["id"] for answer in answers}) == 1
    assert (refund_totals(paid), len(at_stripe(double, paid))) == (("5.000", "5.000", "succeeded"), 1)


def test_refund_ten_concurrent_requests_never_exceed_the_amount_left(double, paid, seller_client):
    answers = run_concurrently(10, lambda: refund(seller_client, paid, amount="5"))
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [409] * 7
    assert refund_totals(paid) == ("15.000", "15.000", *["succeeded"] * 3)
    assert sum(there["amount"] for there in at_stripe(double, paid)) == 1500
    assert broken_invariants() == []


def test_refund_ten_concurrent_jobs_send_it_once(double, paid, seller_client):
    double.fail_next("500")
    refund(seller_client, paid)
    later(minutes=3)
    run_concurrently(10, refunds.send_due)
    assert Refund.objects.get().attempts <= 3  # ten attempts would delay the next one for hours
    later(minutes=90)
    refunds.send_due()
    assert (refund_totals(paid), len(at_stripe(double, paid))) == (("19.990", "19.990", "succeeded"), 1)


def test_refund_given_up_and_retried_by_staff_in_the_admin_is_made_once(double, paid, seller_client):
    double.fail_next("timeout_after_create")
    refund(seller_client, paid)
    Refund.objects.update(next_attempt_at=None, attempts=refunds.POLICY.max_attempts, last_error="stripe_unavailable")
    waiting, staff = Refund.objects.get(), admin_pages.operator()
    sent = {"action": "retry", "_selected_action": [waiting.pk]}
    admin_pages.clerk().post("/admin/payments/refund/", sent)
    assert refunds.send_due() == 0
    text = staff.post("/admin/payments/refund/", sent, follow=True).content.decode()
    assert "Will be sent within a minute: 1." in text
    assert "stripe_unavailable" in text
    waiting.refresh_from_db()
    assert (waiting.attempts, waiting.status) == (0, "creating")
    assert refunds.send_due() == 1
    text = staff.post("/admin/payments/refund/", sent, follow=True).content.decode()
    assert "Will be sent within a minute: 0." in text
    assert "Not changed: 1, sent or being sent now." in text
    assert (refund_totals(paid), len(at_stripe(double, paid))) == (("19.990", "19.990", "succeeded"), 1)


@pytest.fixture
def paid_orders(client, double, winner, seller, bidder):
    """Three orders that are paid."""
    return [pay(client, double, winner, sell(seller, bidder)) for _ in range(3)]


@pytest.fixture
def requests_to_stripe(monkeypatch):
    """The keys of the refunds requested from Stripe, which does not answer."""
    keys = []

    def refuse_connection(*, idempotency_key, **_):
        keys.append(idempotency_key)
        raise errors.StripeDown

    monkeypatch.setattr(stripe_gateway, "create_refund", refuse_connection)
    return keys


def test_surplus_refunded_in_the_admin_with_stripe_down_stops_after_one(paid_orders, requests_to_stripe):
    Payment.objects.update(status=Payment.Status.SURPLUS)
    selected = list(Payment.objects.values_list("pk", flat=True))
    sent = {"action": "refund_surplus", "_selected_action": selected, "confirmed": "yes", "reason": "Paid twice."}
    text = admin_pages.operator().post("/admin/payments/payment/", sent, follow=True).content.decode()
    assert len(requests_to_stripe) == Refund.objects.count() == 1
    assert "19.99 USD will be refunded as soon as Stripe responds again." in text
    assert "Stopped. Not tried: 2." in text
