"""Batches of schedules, each batch on an empty database against a double of its own."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from django.db import connection, transaction
from django.test import override_settings

from payments.services import expiry, refunds, webhooks
from payments.services.reconciliation import reconcile
from payments.tests.double_process import SECRET, start_double
from tests import db_snapshot, factories
from tests.schedules import reference_checks
from tests.schedules.fake_stripe import FakeStripe
from tests.schedules.schedule import Schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def run(schedules: int, seed: int, *, batch: int = 50, progress: Callable[[int], None] | None = None) -> Counter[str]:
    """Run so many schedules, the first with this seed; return how often what happened.

    After each batch the books are compared, then reconciliation has found what was lost on the way. Raises
    AssertionError naming the batch's seed and what does not add up.
    """
    counts: Counter[str] = Counter()
    for first in range(seed, seed + schedules, batch):
        counts += one_batch(first, min(batch, seed + schedules - first))
        if progress:
            progress(first + batch - seed)
    return counts


def one_batch(seed: int, size: int) -> Counter[str]:
    """Run a batch; return how often what happened. Raises AssertionError."""
    counts: Counter[str] = Counter()
    with _running_stripe() as stripe, emptied_database():
        seller, buyer = factories.user("seller@example.com"), factories.user("buyer@example.com")
        made = []
        for number in range(seed, seed + size):
            schedule = Schedule(stripe, seller, buyer, number)
            schedule.run()
            made.append(schedule)
            counts += schedule.counts
        reconcile_until_quiet()
        found = reference_checks.find_differences(stripe, made) + db_snapshot.broken_invariants()
        assert not found, f"schedules {seed} to {seed + size - 1}:\n" + "\n".join(found)
    return counts


def reconcile_until_quiet() -> None:
    """Run the hourly job, the workers, and the job again, which then reports nothing."""
    for _ in range(2):
        found = reconcile()
        webhooks.process_due()
        refunds.send_due()
        expiry.expire_due()
        expiry.cancel_stale_intents()
    assert not found.differences, found.differences


@contextmanager
def _running_stripe() -> Iterator[FakeStripe]:
    for double in start_double():
        # Its one buyer lets many orders expire.
        with override_settings(STRIPE_API_BASE=double.url, STRIPE_WEBHOOK_SECRET=SECRET, STRIKES_BEFORE_BAN=10**6):
            yield FakeStripe(double.url)


@contextmanager
def emptied_database() -> Iterator[None]:
    """Leave nothing behind."""
    try:
        yield
    finally:
        with transaction.atomic(), connection.cursor() as cursor:
            for table in connection.introspection.django_table_names(only_existing=True):
                if not table.startswith("django_"):
                    cursor.execute(f"DELETE FROM {table}")
