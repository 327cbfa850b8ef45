"""Metrics of payments."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from auctioncraft.core import clock
from payments import metrics
from payments.models import (
    Dispute,
    Order,
    Payment,
    Payout,
    Reconciliation,
    Refund,
    SellerHold,
    StripeEvent,
    TransferReversal,
)
from payments.tests.conftest import sell
from payments.tests.payout_helpers import pay

pytestmark = pytest.mark.django_db


def measured():
    """Return the samples by name and labels, rounded to a tenth."""
    return {
        (sample.name, *sample.labels.values()): round(sample.value, 1)
        for family in metrics.collect_metrics()
        for sample in family.samples
    }


def event(number, *, received=0.0, created=None, processed=None, **fields):
    """Create an event; times are in seconds ago."""

    def ago(seconds):
        return None if seconds is None else clock.now() - timedelta(seconds=seconds)

    StripeEvent.objects.create(
        id=f"evt_{number}",
        type="a.b",
        payload={},
        received_at=ago(received),
        created_at=ago(created),
        processed_at=ago(processed),
        **fields,
    )


def test_metrics_of_empty_tables_are_zero():
    assert measured() == {
        ("stripe_events_waiting",): 0,
        ("stripe_events_failed",): 0,
        ("stripe_event_oldest_waiting_seconds",): 0,
        ("stripe_events_processed_last_hour",): 0,
        ("stripe_event_lag_seconds", "mean"): 0,
        ("stripe_event_lag_seconds", "max"): 0,
        ("orders_awaiting_payment",): 0,
        ("orders_overdue",): 0,
        ("disputes_open",): 0,
        ("refunds_given_up",): 0,
        ("refunds_awaiting_reversal",): 0,
        ("transfer_reversals_failing",): 0,
        ("sellers_held",): 0,
        ("unpaid_orders_most_of_one_buyer",): 0,
        ("buyers_over_unpaid_limit",): 0,
    }


def test_metrics_count_waiting_events(django_db_blocker):
    event(1, received=90, last_error="RuntimeError")
    event(2, received=30)
    event(3, received=600, processed=599)
    found = measured()
    assert (found["stripe_events_waiting",], found["stripe_events_failed",]) == (2, 1)
    assert 90 <= found["stripe_event_oldest_waiting_seconds",] < 100


def test_metrics_lag_is_the_last_hours_delay():
    event(1, created=110, processed=100)
    event(2, created=3000, processed=2960)
    event(3, created=9000, processed=3601)
    event(4, processed=10)
    event(5, created=500)
    found = measured()
    assert found["stripe_events_processed_last_hour",] == 2
    assert (found["stripe_event_lag_seconds", "mean"], found["stripe_event_lag_seconds", "max"]) == (25, 40)


def test_metrics_count_each_flag():
    for number, flag in enumerate(("unknown_intent", "amount_mismatch", "unknown_intent", "")):
        event(number, processed=1, flag=flag)
    found = measured()
    assert found["stripe_events_flagged_total", "unknown_intent"] == 2
    assert found["stripe_events_flagged_total", "amount_mismatch"] == 1


def test_metrics_count_orders_refunds_payouts_and_disputes(order, seller):
    Order.objects.update(due_at=clock.now())
    payment = Payment.objects.create(
        order=order, amount=order.total, currency="USD", status="surplus", received=order.total, received_currency="USD"
    )
    for status in ("creating", "pending", "pending", "succeeded", "failed"):
        Refund.objects.create(payment=payment, amount=1, currency="USD", status=status)
    Refund.objects.create(payment=payment, amount=1, currency="USD", status="creating", next_attempt_at=None)
    money = {"gross": Decimal(10), "fee": Decimal(0), "amount": Decimal(10), "currency": "USD"}
    Payout.objects.create(
        order=order, seller=seller, route="transfer", status="blocked", blocked_by="not_onboarded", **money
    )
    for number, closed in enumerate((None, clock.now())):
        Dispute.objects.create(
            payment=payment, stripe_dispute_id=f"dp_{number}", amount=1, currency="USD", status="x",
            opened_at=clock.now(),
            closed_at=closed,
        )  # fmt: skip
    found = measured()
    assert (found["orders_awaiting_payment",], found["orders_overdue",]) == (1, 1)
    assert (found["refunds_waiting", "creating"], found["refunds_waiting", "pending"]) == (2, 2)
    assert found["refunds_given_up",] == 1
    assert found["payouts_waiting", "blocked", "not_onboarded"] == 1
    assert found["disputes_open",] == 1


def test_metrics_count_holds_reversals_and_unpaid_orders_of_one_buyer(order, seller, bidder, rival, settings):
    settings.MAX_UNPAID_ORDERS = 1
    sell(seller, bidder)
    sell(seller, rival)
    payout = pay(Order.objects.get(product=sell(seller, rival)), destination="acct_1")
    payment = Payment.objects.get()
    SellerHold.objects.create(seller=seller, reason="x", held_at=clock.now())
    for number, fields in enumerate(
        ({"attempts": 1, "last_error": "balance_insufficient"}, {}, {"canceled_at": clock.now()})
    ):
        reversal = TransferReversal.objects.create(payout=payout, amount=1, **fields)
        reason = {"forced_reason": "y", "requested_by": seller} if number else {}
        Refund.objects.create(payment=payment, amount=1, currency="USD", reversal=reversal, **reason)
    found = measured()
    assert found["sellers_held",] == 1
    assert (found["transfer_reversals_failing",], found["refunds_awaiting_reversal",]) == (1, 1)
    assert (found["unpaid_orders_most_of_one_buyer",], found["buyers_over_unpaid_limit",]) == (2, 1)


def test_metrics_describe_the_last_finished_reconciliation():
    then = clock.now() - timedelta(seconds=500)
    Reconciliation.objects.create(since=then, finished_at=then, counts={"differences": 2}, error="StripeUnavailable")
    Reconciliation.objects.create(since=then)
    found = measured()
    assert 500 <= found["reconciliation_age_seconds",] < 510
    assert (found["reconciliation_differences",], found["reconciliation_failed",]) == (2, 1)


def test_metrics_keep_a_difference_for_a_day():
    now = clock.now()
    for hours, differences in ((30, 5), (2, 3), (1, 0)):
        then = now - timedelta(hours=hours)
        Reconciliation.objects.create(since=then, finished_at=then, counts={"differences": differences})
    assert measured()["reconciliation_differences",] == 3


def test_metrics_with_more_rows_take_the_same_queries(order):
    def queries():
        with CaptureQueriesContext(connection) as made:
            measured()
        return len(made)

    few = queries()
    for number in range(20):
        event(number, flag=f"flag_{number}")
    assert queries() == few
