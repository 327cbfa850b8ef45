import threading

import pytest
from django.db import connection, transaction

from auctions.models import EventOutbox
from notifications.models import EmailDelivery, Notification
from notifications.services import outbox
from notifications.services.outbox import write_notifications
from notifications.tests import rows
from tests.violations import find_violations

pytestmark = [pytest.mark.sqlite, pytest.mark.django_db(transaction=True)]


def violations():
    return find_violations("notifications")


def test_failure_before_commit_writes_nothing_and_the_next_run_writes_once(seller, bidder, rival, monkeypatch):
    rows.sale(seller, bidder, [rival])
    with monkeypatch.context() as patch:
        patch.setattr(EventOutbox.objects, "filter", _breaking(EventOutbox.objects.filter))
        with pytest.raises(KeyboardInterrupt):
            write_notifications()
    assert (Notification.objects.count(), EmailDelivery.objects.count(), EventOutbox.objects.count()) == (0, 0, 1)

    assert write_notifications() == 1

    assert (Notification.objects.count(), EmailDelivery.objects.count(), EventOutbox.objects.count()) == (3, 3, 0)
    assert violations() == {}


def _breaking(real):
    """Call `filter` until notifications are written; then fail, where the outbox rows would be deleted."""

    def fake(**lookups):
        if Notification.objects.exists():
            raise KeyboardInterrupt
        return real(**lookups)

    return fake


def test_parallel_workers_write_each_notification_once(seller, bidder, rival):
    lamps = [rows.sale(seller, bidder, [rival]) for _ in range(10)]
    for lamp in lamps:
        for _ in range(4):
            rows.outbid(lamp, bidder=rival, displaced=bidder)
    start = threading.Barrier(4)
    counts, failures = [], []

    def work():
        try:
            start.wait()
            counts.append(write_notifications(limit=3))
        except Exception as error:  # noqa: BLE001
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # A worker skips rows that another has locked and may end before it.
    counts.append(write_notifications())

    assert failures == []
    assert sum(counts) == 50
    assert Notification.objects.count() == EmailDelivery.objects.count() == 10 * (3 + 4)
    assert violations() == {}


def test_rows_locked_by_another_worker_are_skipped_on_postgresql(seller, bidder, rival):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer: a second worker waits instead")
    rows.sale(seller, bidder, [rival])
    locked, done = threading.Event(), threading.Event()

    def lock():
        with transaction.atomic():
            list(EventOutbox.objects.select_for_update())
            locked.set()
            done.wait(10)
        connection.close()

    thread = threading.Thread(target=lock)
    thread.start()
    locked.wait(10)
    try:
        assert write_notifications() == 0
    finally:
        done.set()
        thread.join()
    assert write_notifications() == 1


def test_writing_inside_a_transaction_is_refused(seller, bidder, rival):
    rows.sale(seller, bidder, [rival])
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        outbox._write([1])
