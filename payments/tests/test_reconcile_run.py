"""One reconciliation: its start time, one at a time, failures."""

from __future__ import annotations

from datetime import timedelta

import pytest
import requests

from auctioncraft.core import clock
from payments import errors, stripe_gateway, tasks
from payments.models import Reconciliation
from payments.services import checkout
from payments.services.reconciliation import reconcile
from payments.tests.conftest import request_intent, statuses
from payments.tests.reconciliation_helpers import paid, texts
from payments.tests.refund_helpers import in_dashboard, pay
from tests.db_snapshot import assert_nothing_written

__all__ = ["paid"]

pytestmark = pytest.mark.django_db


def test_reconcile_starts_an_hour_before_the_last_finished_one(double):
    first = reconcile()
    second = reconcile()
    assert second.since == first.started_at - timedelta(hours=1)
    assert reconcile(since=clock.now()).since == second.started_at - timedelta(hours=1)  # without a gap
    long_ago = clock.now() - timedelta(days=9)
    assert reconcile(since=long_ago).since == long_ago


def test_reconcile_while_one_is_running_is_refused(double):
    running = Reconciliation.objects.create(since=clock.now())
    with pytest.raises(errors.ReconciliationRunning):
        reconcile()
    tasks.reconcile_with_stripe()
    assert Reconciliation.objects.count() == 1
    Reconciliation.objects.update(heartbeat_at=clock.now() - timedelta(minutes=11))
    assert reconcile().error == ""
    running.refresh_from_db()
    assert (running.error, running.finished_at) == ("no sign of life", None)


def test_reconcile_taken_over_by_another_stops(double, intent_id, monkeypatch):
    ask = stripe_gateway.list_intents

    def taken_over(**how):
        Reconciliation.objects.update(error="no sign of life")
        return ask(**how)

    monkeypatch.setattr(stripe_gateway, "list_intents", taken_over)
    with pytest.raises(errors.ReconciliationRunning):
        reconcile()


def test_reconcile_with_stripe_unreachable_fails_and_the_next_starts_there(double, intent_id, settings):
    url = settings.STRIPE_API_BASE
    first = reconcile()
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    with pytest.raises(errors.StripeUnavailable):
        reconcile()
    assert Reconciliation.objects.first().error == "stripe_unavailable"
    settings.STRIPE_API_BASE = url
    assert reconcile().since == first.started_at - timedelta(hours=1)


def test_reconcile_dry_run_writes_nothing_and_reports_all(double, intent_id, order):
    double.confirm(intent_id)
    with assert_nothing_written():
        found = reconcile(fix=False)
    assert f"payment {order.payments.get().pk} is open, and its intent succeeded" in texts(found)
    assert any(text.endswith("(payment_intent.succeeded) has not reached us") for text in texts(found))
    assert "charge of 19.99 USD at Stripe, here nothing" in texts(found)
    assert statuses(order) == ("awaiting_payment", "open")


def test_reconcile_counts_differences_beyond_the_shown_ones(double, monkeypatch):
    monkeypatch.setattr("payments.services.reconciliation.report.MAX_SHOWN", 1)
    for _ in range(3):
        double.confirm(double.create()["id"])
    found = reconcile()
    assert (len(found.differences), found.counts["differences"]) == (1, 3)


def test_reconcile_reads_more_than_one_page(double, monkeypatch):
    for _ in range(101):
        double.create(confirm="true", payment_method="pm_card_visa", return_url="https://x.test/")
    found = reconcile()
    assert (found.counts["intents"], found.counts["balance_transactions"], found.counts["differences"]) == (
        101,
        101,
        101,
    )


def test_reconcile_calls_stripe_outside_a_transaction(client, double, winner, product, monkeypatch, transactional_db):
    from django.db import connection

    order = pay(client, double, winner, product)
    in_dashboard(double, order, amount=500)
    send, inside = requests.Session.send, []

    def watch(*args, **kwargs):
        inside.append(connection.in_atomic_block)
        return send(*args, **kwargs)

    monkeypatch.setattr(requests.Session, "send", watch)
    assert reconcile().differences == []
    assert (len(inside) > 3, any(inside)) == (True, False)


def test_reconcile_logs_only_the_number_of_differences(double, caplog):
    double.confirm(double.create()["id"])
    reconcile()
    [line] = [record.getMessage() for record in caplog.records if "reconciliation" in record.name]
    assert line.endswith("1 differences")


def test_reconcile_during_a_checkout_does_not_disturb_it(double, winner, product, order, monkeypatch):
    create = stripe_gateway.create_intent

    def compared_meanwhile(**fields):
        made = create(**fields)
        monkeypatch.setattr(stripe_gateway, "create_intent", create)
        assert reconcile().differences == []
        return made

    monkeypatch.setattr(stripe_gateway, "create_intent", compared_meanwhile)
    answer = request_intent(winner, product)
    assert (answer.status_code, statuses(order)) == (200, ("awaiting_payment", "open"))
    assert (
        checkout.create_payment_intent(product_id=product.pk, user_id=order.buyer_id).intent.id
        == (answer.json()["payment_intent_id"])
    )
