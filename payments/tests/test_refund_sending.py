"""How a refund that was asked for reaches Stripe, once, whatever breaks on the way."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models import F

from payments import errors, stripe_gateway
from payments.models import Refund
from payments.services import refunds
from payments.tasks import send_refunds
from payments.tests.conftest import broken_invariants, run_concurrently
from payments.tests.refund_helpers import at_stripe, pay, refund, refund_totals
from tests import admin_pages

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def vendor(as_user, seller):
    """The seller, calling."""
    return as_user(seller)


@pytest.fixture
def paid(client, double, winner, product):
    """An order of 19.99 USD that is paid."""
    return pay(client, double, winner, product)


def later(**time):
    """Let time pass for the refunds."""
    Refund.objects.update(created_at=F("created_at") - timedelta(**time))


@pytest.mark.parametrize("fault", ["500", "429", "reset", "timeout_after_create"])
def test_a_sweep_sends_what_stripe_did_not_answer_and_it_is_made_once(double, paid, vendor, fault):
    double.fail_next(fault)
    answer = refund(vendor, paid, amount="5")
    assert (answer.status_code, answer.json()["refund"]["status"]) == (201, "pending")
    assert refunds.send_due() == 0  # its time has not come
    later(minutes=1)
    refunds.send_due()  # Stripe may answer the old key with the failure that it remembers
    refunds.send_due()
    assert refund_totals(paid) == ("5.000", "5.000", "succeeded")
    assert len(at_stripe(double, paid)) == 1
    assert refunds.send_due() == 0
    assert broken_invariants() == []


def test_a_crash_between_stripes_answer_and_the_commit_refunds_once(double, paid, vendor, monkeypatch):
    def crash(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(refunds, "_record", crash)
        with pytest.raises(KeyboardInterrupt):
            refund(vendor, paid, amount="5")
    assert refund_totals(paid) == ("0.000", "5.000", "creating")
    later(minutes=1)
    send_refunds()
    assert (refund_totals(paid), len(at_stripe(double, paid))) == (("5.000", "5.000", "succeeded"), 1)


def test_a_crash_before_stripe_was_asked_is_made_good(double, paid, vendor, monkeypatch):
    def crash(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(refunds, "send", crash)
        with pytest.raises(KeyboardInterrupt):
            refund(vendor, paid, amount="5")
    later(minutes=1)
    send_refunds()
    assert (refund_totals(paid), len(at_stripe(double, paid))) == (("5.000", "5.000", "succeeded"), 1)


def test_after_stripe_has_forgotten_the_key_it_is_looked_for_first(double, paid, vendor):
    double.fail_next("timeout_after_create")
    refund(vendor, paid, amount="5")
    Refund.objects.update(idempotency_key=uuid.uuid4())  # as good as forgotten
    later(days=2)
    assert refunds.send_due() == 1
    assert (refund_totals(paid), len(at_stripe(double, paid))) == (("5.000", "5.000", "succeeded"), 1)


def test_a_key_that_stripe_answers_with_an_old_failure_is_changed(double, paid, vendor, monkeypatch):
    def spent(**_):
        raise errors.StoredFailure

    with monkeypatch.context() as patched:
        patched.setattr(stripe_gateway, "create_refund", spent)
        assert refund(vendor, paid, amount="5").json()["refund"]["status"] == "pending"
    later(minutes=1)
    assert refunds.send_due() == 1
    assert (refund_totals(paid), len(at_stripe(double, paid))) == (("5.000", "5.000", "succeeded"), 1)


def test_the_same_key_is_used_until_then(double, paid, vendor, monkeypatch):
    keys = []

    def away(*, idempotency_key, **_):
        keys.append(idempotency_key)
        raise errors.StripeUnavailable

    with monkeypatch.context() as patched:
        patched.setattr(stripe_gateway, "create_refund", away)
        refund(vendor, paid, amount="5")
        for _ in range(2):
            later(minutes=5)
            assert refunds.send_due() == 0
    assert len(keys) == 3
    assert set(keys) == {str(Refund.objects.get().idempotency_key)}


def test_tries_grow_apart_and_end_for_staff_to_look(double, paid, vendor, stripe_unreachable):
    refund(vendor, paid)
    Refund.objects.update(attempts=5)
    later(seconds=300)
    assert refunds.send_due() == 0
    assert Refund.objects.get().attempts == 5
    later(seconds=30)
    refunds.send_due()
    assert Refund.objects.get().attempts == 6
    Refund.objects.update(attempts=17)
    later(days=365)
    refunds.send_due()
    assert Refund.objects.get().attempts == 17
    assert any("is creating" in line for line in broken_invariants())


def test_stripe_is_asked_outside_any_transaction(double, paid, vendor, monkeypatch):
    seen, ask = [], stripe_gateway.create_refund

    def spy(**given):
        seen.append((connection.in_atomic_block, Refund.objects.get().status))
        return ask(**given)

    monkeypatch.setattr(stripe_gateway, "create_refund", spy)
    refund(vendor, paid)
    assert seen == [(False, "creating")]


def test_it_refuses_to_ask_inside_a_transaction(paid, seller):
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        refunds.refund_order(order_id=paid.pk, actor=seller)


def test_ten_calls_with_one_key_are_one_refund(double, paid, vendor):
    answers = run_concurrently(10, lambda: refund(vendor, paid, key="k1", amount="5"))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["refund"]["id"] for answer in answers}) == 1
    assert (refund_totals(paid), len(at_stripe(double, paid))) == (("5.000", "5.000", "succeeded"), 1)


def test_ten_calls_over_the_ceiling_never_pass_it(double, paid, vendor):
    answers = run_concurrently(10, lambda: refund(vendor, paid, amount="5"))
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [409] * 7
    assert refund_totals(paid) == ("15.000", "15.000", *["succeeded"] * 3)
    assert sum(there["amount"] for there in at_stripe(double, paid)) == 1500
    assert broken_invariants() == []


def test_ten_sweeps_at_once_send_once(double, paid, vendor):
    double.fail_next("500")
    refund(vendor, paid)
    later(minutes=1)
    run_concurrently(10, refunds.send_due)
    assert Refund.objects.get().attempts <= 3  # ten tries counted would put the next off for hours
    later(minutes=90)
    refunds.send_due()
    assert (refund_totals(paid), len(at_stripe(double, paid))) == (("19.990", "19.990", "succeeded"), 1)


def test_staff_send_one_again_in_the_admin(double, paid, vendor):
    double.fail_next("timeout_after_create")
    refund(vendor, paid)
    waiting, staff = Refund.objects.get(), admin_pages.operator()
    sent = {"action": "send_again", "_selected_action": [waiting.pk]}
    admin_pages.clerk().post("/admin/payments/refund/", sent)
    assert refund_totals(paid) == ("0.000", "19.990", "creating")
    for _ in range(2):
        answer = staff.post("/admin/payments/refund/", sent, follow=True).content.decode()
        assert f"Refund {waiting.pk}: succeeded." in answer
    assert (refund_totals(paid), len(at_stripe(double, paid))) == (("19.990", "19.990", "succeeded"), 1)
