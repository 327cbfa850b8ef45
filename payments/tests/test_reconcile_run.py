"""One reconciliation: since when, one at a time, and what becomes of it when it breaks off."""

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


def test_each_begins_an_hour_before_the_last_that_came_to_its_end(double):
    first = reconcile()
    second = reconcile()
    assert second.since == first.started_at - timedelta(hours=1)
    assert reconcile(since=clock.now()).since == second.started_at - timedelta(hours=1)  # no gap is left
    long_ago = clock.now() - timedelta(days=9)
    assert reconcile(since=long_ago).since == long_ago


def test_there_is_one_at_a_time(double):
    running = Reconciliation.objects.create(since=clock.now())
    with pytest.raises(errors.ReconciliationRunning):
        reconcile()
    tasks.reconcile_with_stripe()
    assert Reconciliation.objects.count() == 1
    Reconciliation.objects.update(heartbeat_at=clock.now() - timedelta(minutes=11))
    assert reconcile().error == ""
    running.refresh_from_db()
    assert (running.error, running.finished_at) == ("no sign of life", None)


def test_one_that_was_taken_for_dead_stops(double, intent_id, monkeypatch):
    ask = stripe_gateway.list_intents

    def taken_over(**how):
        Reconciliation.objects.update(error="no sign of life")
        return ask(**how)

    monkeypatch.setattr(stripe_gateway, "list_intents", taken_over)
    with pytest.raises(errors.ReconciliationRunning):
        reconcile()


def test_with_stripe_away_it_breaks_off_and_the_next_begins_where_it_did(double, intent_id, settings):
    url = settings.STRIPE_API_BASE
    first = reconcile()
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    with pytest.raises(errors.StripeUnavailable):
        reconcile()
    assert Reconciliation.objects.first().error == "stripe_unavailable"
    settings.STRIPE_API_BASE = url
    assert reconcile().since == first.started_at - timedelta(hours=1)


def test_a_dry_run_writes_nothing_and_tells_all(double, intent_id, order):
    double.confirm(intent_id)
    with assert_nothing_written():
        found = reconcile(fix=False)
    assert f"payment {order.payments.get().pk} is open, and its intent succeeded" in texts(found)
    assert any(text.endswith("(payment_intent.succeeded) has not reached us") for text in texts(found))
    assert "charge of 19.99 USD at Stripe, here nothing" in texts(found)
    assert statuses(order) == ("awaiting_payment", "open")


def test_differences_past_the_most_that_are_shown_are_counted(double, monkeypatch):
    monkeypatch.setattr("payments.services.reconciliation.report.MAX_SHOWN", 1)
    for _ in range(3):
        double.confirm(double.create()["id"])
    found = reconcile()
    assert (len(found.differences), found.counts["differences"]) == (1, 3)


def test_more_than_a_page_of_each(double, monkeypatch):
    for _ in range(103):
        double.confirm(double.create()["id"])
    found = reconcile()
    assert (found.counts["intents"], found.counts["balance_transactions"], found.counts["differences"]) == (
        103,
        103,
        103,
    )


def test_stripe_is_asked_outside_any_transaction(client, double, winner, product, monkeypatch, transactional_db):
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


def test_the_log_says_only_how_many(double, caplog):
    double.confirm(double.create()["id"])
    reconcile()
    [line] = [record.getMessage() for record in caplog.records if "reconciliation" in record.name]
    assert line.endswith("1 differences")


def test_a_checkout_at_the_same_time_is_not_disturbed(double, winner, product, order, monkeypatch):
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
        checkout.create_payment_intent(product_id=product.pk, user_id=order.buyer_id).payment_intent_id
        == (answer.json()["payment_intent_id"])
    )
