"""core/purge.py, and what each app purges. The purge of accounts has tests of its own."""

from datetime import timedelta

import pytest
from django.db import connection, transaction

import auctioncraft.tasks
import notifications.tasks
import payments.tasks
from auctioncraft.core import clock, idempotency, purge
from auctioncraft.core.invariants import Batch
from auctioncraft.models import IdempotencyKey
from auctions.models import Category
from notifications.invariants import check_deliveries
from notifications.models import EmailDelivery, Notification
from payments.models import StripeEvent
from tests.servers import run_concurrently

pytestmark = pytest.mark.django_db


def days_ago(days):
    return clock.now() - timedelta(days=days)


def keys(*ages):
    rows = [IdempotencyKey(user_id=1, key=f"key-{age}", fingerprint="f", response={}) for age in ages]
    IdempotencyKey.objects.bulk_create(rows)
    for row, age in zip(IdempotencyKey.objects.order_by("pk"), ages, strict=True):
        IdempotencyKey.objects.filter(pk=row.pk).update(created_at=days_ago(age))


def old_keys(now):
    return purge.oldest(IdempotencyKey).filter(created_at__lt=now - idempotency.KEY_RETENTION)


def kept_keys():
    return set(IdempotencyKey.objects.values_list("key", flat=True))


def test_purge_idempotency_keys_after_30_days():
    keys(40, 30.1, 29.9, 0)
    auctioncraft.tasks.purge()
    assert kept_keys() == {"key-29.9", "key-0"}


def test_purge_many_rows_are_deleted_batch_after_batch(monkeypatch):
    monkeypatch.setattr(purge.oldest, "__defaults__", (10,))
    keys(*range(100, 31, -1), 29)
    assert purge.delete_in_batches(old_keys, batch=10) == 69
    assert kept_keys() == {"key-29"}


def test_purge_time_is_up_begins_no_batch():
    keys(40)
    assert purge.delete_in_batches(old_keys, seconds=0) == 0


def test_purge_nothing_old_takes_no_lock(django_assert_num_queries):
    keys(1)
    clock_reads = connection.vendor == "postgresql"
    with django_assert_num_queries(1 + clock_reads):
        assert idempotency.purge() == 0


def test_purge_row_that_changed_between_read_and_lock_is_kept():
    keys(40)
    reads = []

    def old(now):
        reads.append(now)
        if len(reads) == 2:
            IdempotencyKey.objects.update(created_at=now)
        return old_keys(now)

    assert purge.delete_in_batches(old) == 0
    assert kept_keys() == {"key-40"}


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no row locks")
def test_purge_locked_row_is_left_for_the_next_run():
    keys(40, 39)
    with transaction.atomic():
        IdempotencyKey.objects.select_for_update().get(key="key-40")
        assert run_concurrently([idempotency.purge]) == [1]
    assert kept_keys() == {"key-40"}
    assert idempotency.purge() == 1


@pytest.mark.django_db(transaction=True)
def test_purge_by_two_workers_at_once_deletes_each_row_once():
    keys(*range(80, 30, -1))
    assert sum(run_concurrently([lambda: purge.delete_in_batches(old_keys, batch=5)] * 2)) <= 50
    idempotency.purge()
    assert kept_keys() == set()


def test_purge_deliveries_90_days_after_they_ended(bidder):
    given_up, at = {"next_attempt_at": None}, days_ago
    states = {
        "sent": {"sent_at": at(91)}, "gave up": {**given_up, "last_attempt_at": at(91)},
        "young": {"sent_at": at(89)}, "gave up later": {**given_up, "last_attempt_at": at(89)},
        "waits": {"last_attempt_at": at(91)},
    }  # fmt: skip
    for source, fields in states.items():
        row = Notification.objects.create(
            recipient=bidder, kind="outbid", title="t", message="m", source=source, mailed=True
        )
        Notification.objects.filter(pk=row.pk).update(created_at=days_ago(92))
        EmailDelivery.objects.create(notification=row, **fields)
    notifications.tasks.purge()
    left = EmailDelivery.objects.values_list("notification__source", flat=True)
    assert set(left) == {"young", "gave up later", "waits"}
    ids = list(Notification.objects.order_by("pk").values_list("pk", flat=True))
    assert len(ids) == 5
    assert list(check_deliveries(Batch(Notification, ids[0], ids[-1]))) == []


def test_purge_stripe_events_90_days_after_they_were_processed():
    for name, processed in {"old": days_ago(91), "young": days_ago(89), "waits": None}.items():
        StripeEvent.objects.create(id=f"evt_{name}", type="charge.updated", payload={}, processed_at=processed)
    payments.tasks.purge()
    assert set(StripeEvent.objects.values_list("pk", flat=True)) == {"evt_young", "evt_waits"}


def test_run_idempotent_key_that_was_purged_runs_again():
    def run():
        Category.objects.create(name=f"c{Category.objects.count()}", slug=f"c{Category.objects.count()}")
        return {}

    for days in (0, 31):
        idempotency.run_idempotent(idempotency.identify("x", user_id=1, key="k"), run)
        IdempotencyKey.objects.update(created_at=days_ago(days))
    assert Category.objects.count() == 1
    idempotency.purge()
    idempotency.run_idempotent(idempotency.identify("x", user_id=1, key="k"), run)
    assert Category.objects.count() == 2
