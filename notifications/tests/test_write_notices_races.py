import threading

import pytest
from django.db import connection, transaction

from auctioncraft.core.invariants import find_violations
from auctions.models import EventOutbox
from notifications.models import EmailDelivery, Notification
from notifications.services import outbox
from notifications.services.outbox import write_notifications
from notifications.tests import rows

pytestmark = [pytest.mark.sqlite, pytest.mark.django_db(transaction=True)]


def problems():
    return find_violations("notifications")


def test_a_failure_before_the_commit_leaves_nothing_and_the_next_sweep_tells_exactly_once(
    seller, bidder, rival, monkeypatch
):
    rows.sale(seller, bidder, [rival])
    with monkeypatch.context() as patch:
        patch.setattr(EventOutbox.objects, "filter", _breaking(EventOutbox.objects.filter))
        with pytest.raises(KeyboardInterrupt):
            write_notifications()
    assert (Notification.objects.count(), EmailDelivery.objects.count(), EventOutbox.objects.count()) == (0, 0, 1)

    assert write_notifications() == 1

    assert (Notification.objects.count(), EmailDelivery.objects.count(), EventOutbox.objects.count()) == (3, 3, 0)
    assert problems() == {}


def _breaking(real):
    """`filter` until the notices are written; then, where the outbox rows would be deleted, a sudden end."""

    def fake(**lookups):
        if Notification.objects.exists():
            raise KeyboardInterrupt
        return real(**lookups)

    return fake


def test_workers_at_once_tell_everything_exactly_once(seller, bidder, rival):
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
    # A worker skips what another holds and may end before it; a last sweep is what the next second brings.
    counts.append(write_notifications())

    assert failures == []
    assert sum(counts) == 50
    assert Notification.objects.count() == EmailDelivery.objects.count() == 10 * (3 + 4)
    assert problems() == {}


def test_what_another_worker_holds_is_left_alone_on_postgresql(seller, bidder, rival):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer: a second worker waits instead")
    rows.sale(seller, bidder, [rival])
    held, done = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic():
            list(EventOutbox.objects.select_for_update())
            held.set()
            done.wait(10)
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)
    try:
        assert write_notifications() == 0
    finally:
        done.set()
        thread.join()
    assert write_notifications() == 1


def test_the_sweep_refuses_to_run_inside_a_transaction(seller, bidder, rival):
    rows.sale(seller, bidder, [rival])
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        outbox._write([1])
