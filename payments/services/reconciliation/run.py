"""One reconciliation: since when, in which order, and what is kept of it."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db import IntegrityError, transaction

from auctioncraft.core import clock
from payments import errors
from payments.models import Reconciliation
from payments.services.reconciliation import balance_transactions, missed_events, payment_intents
from payments.services.reconciliation.report import Report

if TYPE_CHECKING:
    from datetime import datetime

logger = logging.getLogger(__name__)

# As long as Stripe keeps events: https://docs.stripe.com/api/events
_FIRST_PERIOD: Final = timedelta(days=30)
_OVERLAP: Final = timedelta(hours=1)
_DEAD_AFTER: Final = timedelta(minutes=10)


def reconcile(*, since: datetime | None = None, fix: bool = True) -> Reconciliation:
    """Compare our rows with Stripe's, fix what can be fixed, and return what was found. One at a time.

    From an hour before the last that came to its end began, or 30 days; `since` (UTC) can only reach further back, so
    that no gap is left. In order: intents, then events that never came, then the books, so that what is merely late is
    no difference. Stripe is asked outside any transaction, and each thing is put right in one of its own. Without
    `fix` nothing is written, not even this run.
    Raises ReconciliationRunning; StripeUnavailable and whatever else breaks it off, which is kept with it.
    """
    row = _begin(since, save=fix)
    report = Report(since=row.since, until=row.started_at, fix=fix, heartbeat=lambda: _heartbeat(row))
    try:
        for look in (
            payment_intents.compare,
            missed_events.import_missed,
            balance_transactions.compare,
            balance_transactions.follow_up,
        ):
            look(report)
    except Exception as error:
        row.error = getattr(error, "code", "") or type(error).__name__
        raise
    finally:
        row.finished_at = clock.now()
        row.counts, row.sums, row.differences = dict(report.counts), report.sums, report.differences
        if fix:
            row.save(update_fields=("finished_at", "counts", "sums", "differences", "error"))
        if row.differences:
            # What they are is for staff, not for the log.
            logger.warning("reconciliation %s: %s differences", row.pk or "(dry)", row.difference_count)
    return row


def _begin(since: datetime | None, *, save: bool) -> Reconciliation:
    now = clock.now()
    last = Reconciliation.objects.filter(finished_at__isnull=False, error="").order_by("-started_at").first()
    start = last.started_at - _OVERLAP if last else now - _FIRST_PERIOD
    row = Reconciliation(since=min(since or start, start), started_at=now, heartbeat_at=now)
    if save:
        running = Reconciliation.objects.filter(finished_at__isnull=True, error="")
        running.filter(heartbeat_at__lt=now - _DEAD_AFTER).update(error="no sign of life")
        try:
            with transaction.atomic():
                row.save()
        except IntegrityError:
            raise errors.ReconciliationRunning from None
    return row


def _heartbeat(row: Reconciliation) -> None:
    """Show that this run lives; raises ReconciliationRunning if another took it for dead."""
    if row.pk is None:
        return
    mine = Reconciliation.objects.filter(pk=row.pk, error="")
    if not mine.update(heartbeat_at=clock.now()):
        raise errors.ReconciliationRunning
