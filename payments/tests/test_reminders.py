"""Reminders of unpaid orders."""

from __future__ import annotations

from datetime import timedelta

import pytest

from payments import tasks
from payments.models import Order
from payments.services import expiry
from payments.tests.conftest import sell
from tests.db_snapshot import assert_nothing_written
from tests.time_travel import advance_time

pytestmark = pytest.mark.django_db


def test_remind_after_24_and_48_hours(product, order, expiry_signals):
    advance_time(product, hours=23, minutes=59)
    with assert_nothing_written():
        assert expiry.remind_due() == 0
    for count in (1, 2):
        advance_time(product, minutes=1)
        assert expiry.remind_due() == 1
        order.refresh_from_db()
        assert (order.reminders_sent, order.status) == (count, "awaiting_payment")
        with assert_nothing_written():
            assert expiry.remind_due() == 0
        advance_time(product, hours=23, minutes=59)
    with assert_nothing_written():
        assert expiry.remind_due() == 0
    assert expiry_signals == [("reminded", order.pk, 1), ("reminded", order.pk, 2)]


def test_remind_after_the_worker_was_down_sends_one(product, order, expiry_signals):
    advance_time(product, hours=50)
    assert expiry.remind_due() == 1
    assert expiry_signals == [("reminded", order.pk, 2)]
    with assert_nothing_written():
        assert expiry.remind_due() == 0


def test_remind_of_paid_order_does_nothing(product, order):
    Order.objects.update(status="paid", paid_at=order.created_at)
    advance_time(product, hours=30)
    with assert_nothing_written():
        assert expiry.remind_due() == 0


def test_remind_of_overdue_order_does_nothing(product, order, expiry_signals):
    advance_time(product, hours=96)
    assert expiry.remind_due() == 0
    tasks.expire_orders()
    assert expiry_signals == [("expired", order.pk, "expired")]


def test_remind_with_a_short_window_skips_later_reminders(seller, bidder, settings, expiry_signals):
    settings.PAYMENT_WINDOW = timedelta(hours=30)
    product = sell(seller, bidder)
    advance_time(product, hours=25)
    assert expiry.remind_due() == 1
    advance_time(product, hours=24)
    assert expiry.remind_due() == 0
