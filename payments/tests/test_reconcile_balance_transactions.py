"""Reconciliation of Stripe's balance transactions with our amounts, in both directions."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from payments import stripe_gateway
from payments.models import Dispute, Payment, Reconciliation, Refund
from payments.services.reconciliation import reconcile
from payments.tests.conftest import broken_invariants, post_event, sell
from payments.tests.reconciliation_helpers import at_stripe, count_fixed, paid, sums, texts
from payments.tests.refund_helpers import in_dashboard, pay, refund

__all__ = ["paid"]

pytestmark = pytest.mark.django_db


def test_reconcile_without_data_finds_nothing(double):
    found = reconcile()
    assert (found.differences, found.sums, found.error) == ([], {}, "")
    assert found.since == found.started_at - timedelta(days=30)
    assert found.finished_at >= found.started_at


def test_reconcile_counts_what_agrees(client, double, paid):
    for event in at_stripe(double, "/v1/events", limit=100)["data"]:
        post_event(client, event)
    found = reconcile()
    assert (found.differences, sums(found)) == ([], {"charge": ("19.99", "19.99")})
    assert (found.counts["intents"], found.counts["balance_transactions"]) == (1, 1)
    assert (
        found.counts.get("events_imported", 0)
        + count_fixed(found, "payments")
        + count_fixed(found, "balance_transactions")
        == 0
    )
    assert Reconciliation.objects.get().sums == {"USD": {"charge": {"ours": "19.99", "stripe": "19.99"}}}
    assert broken_invariants() == []


def test_reconcile_imports_a_dashboard_refund(double, paid):
    in_dashboard(double, paid, amount=500)
    found = reconcile()
    paid.refresh_from_db()
    assert (found.differences, paid.refunded) == ([], Decimal(5))
    assert sums(found) == {"charge": ("19.99", "19.99"), "refund": ("-5.00", "-5.00")}


def test_reconcile_imports_a_dashboard_refund_whose_events_expired(double, paid, monkeypatch):
    in_dashboard(double, paid, amount=500)
    monkeypatch.setattr(stripe_gateway, "list_events", lambda **_: iter(()))
    found = reconcile()
    assert (found.differences, Refund.objects.get().amount, count_fixed(found, "balance_transactions")) == (
        [],
        Decimal(5),
        1,
    )


def test_reconcile_marks_a_refund_that_failed_at_stripe(double, winner, product, client, as_user, seller):
    order = pay(client, double, winner, product, "pm_card_refundFail")
    assert refund(as_user(seller), order).status_code == 201
    refund_id = Refund.objects.get().stripe_refund_id
    double.post(f"/_double/refunds/{refund_id}/settle", outcome="fail")
    found = reconcile()
    order.refresh_from_db()
    assert (found.differences, Refund.objects.get().status, order.refunded) == ([], "failed", Decimal(0))
    assert sums(found) == {
        "charge": ("19.99", "19.99"),
        "refund": ("-19.99", "-19.99"),
        "refund_failure": ("19.99", "19.99"),
    }


@pytest.mark.parametrize("outcome", ["won", "lost"])
def test_reconcile_imports_a_dispute(double, paid, outcome, monkeypatch):
    charge = double.intent(paid.payments.get().stripe_intent_id)["latest_charge"]
    dispute = double.post(f"/_double/charges/{charge}/dispute")
    monkeypatch.setattr(stripe_gateway, "list_events", lambda **_: iter(()))
    found = reconcile()
    assert (found.differences, Dispute.objects.get().stripe_dispute_id) == ([], dispute["id"])
    assert sums(found)["dispute"] == ("-19.99", "-19.99")
    double.post(f"/_double/disputes/{dispute['id']}/close", outcome=outcome)
    found = reconcile()
    assert (found.differences, Dispute.objects.get().status) == ([], outcome)
    assert sums(found).get("dispute_reversal") == (("19.99", "19.99") if outcome == "won" else None)


def test_reconcile_reports_another_amount(double, paid):
    Payment.objects.update(received=Decimal("19.98"))
    found = reconcile()
    assert "charge of 19.99 USD at Stripe, here 19.98 USD" in texts(found)
    assert sums(found) == {"charge": ("19.98", "19.99")}


def test_reconcile_reports_a_payment_missing_at_stripe(double, paid):
    Payment.objects.update(stripe_intent_id="pi_invented")
    found = reconcile()
    payment = paid.payments.get()
    assert f"payment {payment.pk} of 19.99 USD, and nothing moved at Stripe" in texts(found)
    assert sums(found) == {"charge": ("19.99", "19.99")}  # only the rows say so


def test_reconcile_reports_a_refund_missing_at_stripe(double, paid, seller, as_user):
    assert refund(as_user(seller), paid, amount="5.00").status_code == 201
    Refund.objects.update(stripe_refund_id="re_invented")
    found = reconcile()
    assert (
        f"refund {Refund.objects.get(stripe_refund_id='re_invented').pk} of -5.00 USD, and nothing moved at Stripe"
        in texts(found)
    )


def test_reconcile_requests_what_stripe_dates_earlier(double, paid, monkeypatch):
    monkeypatch.setattr(stripe_gateway, "list_balance_transactions", lambda **_: iter(()))
    found = reconcile()
    assert found.differences == []


def test_reconcile_in_currencies_with_no_or_three_decimals(client, double, winner, seller, bidder):
    for currency, price in (("KWD", "1.230"), ("JPY", "500")):
        pay(client, double, winner, sell(seller, bidder, price, currency=currency))
    found = reconcile()
    assert found.sums == {
        "JPY": {"charge": {"ours": "500", "stripe": "500"}},
        "KWD": {"charge": {"ours": "1.230", "stripe": "1.230"}},
    }
