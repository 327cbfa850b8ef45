"""One reconciliation: since when, in which order, and what is kept of it."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db import IntegrityError, transaction

from auctioncraft import clock
from payments import errors
from payments.models import Reconciliation
from payments.services.reconciliation import books, events, payments
from payments.services.reconciliation.findings import Findings

if TYPE_CHECKING:
    from datetime import datetime

logger = logging.getLogger(__name__)

# As long as Stripe keeps events: https://docs.stripe.com/api/events
_FIRST: Final = timedelta(days=30)
_OVERLAP: Final = timedelta(hours=1)
_DEAD_AFTER: Final = timedelta(minutes=10)


def reconcile(*, since: datetime | None = None, mend: bool = True) -> Reconciliation:
    """Hold our rows against Stripe's, put right what can be, and return what was found. One at a time.

    From an hour before the last that came to its end began, or 30 days; `since` (UTC) can only reach further back, so
    that no gap is left. In order: intents, then events that never came, then the books, so that what is merely late is
    no difference. Stripe is asked outside any transaction, and each thing is put right in one of its own. Without
    `mend` nothing is written, not even this run.
    Raises ReconciliationRunning; StripeUnavailable and whatever else breaks it off, which is kept with it.
    """
    row = _begin(since, keep=mend)
    findings = Findings(since=row.since, until=row.started_at, mend=mend, beat=lambda: _beat(row))
    try:
        for look in (payments.compare, events.take_in, books.compare, books.follow_up):
            look(findings)
    except Exception as error:
        row.error = getattr(error, "code", "") or type(error).__name__
        raise
    finally:
        row.finished_at = clock.now()
        row.counts, row.sums, row.differences = dict(findings.counts), findings.sums, findings.differences
        if mend:
            row.save(update_fields=("finished_at", "counts", "sums", "differences", "error"))
        if row.differences:
            # What they are is for staff, not for the log.
            logger.warning("reconciliation %s: %s differences", row.pk or "(dry)", row.number_of_differences)
    return row


def _begin(since: datetime | None, *, keep: bool) -> Reconciliation:
    now = clock.now()
    last = Reconciliation.objects.filter(finished_at__isnull=False, error="").order_by("-started_at").first()
    start = last.started_at - _OVERLAP if last else now - _FIRST
    row = Reconciliation(since=min(since or start, start), started_at=now, beat_at=now)
    if keep:
        running = Reconciliation.objects.filter(finished_at__isnull=True, error="")
        running.filter(beat_at__lt=now - _DEAD_AFTER).update(error="no sign of life")
        try:
            with transaction.atomic():
                row.save()
        except IntegrityError:
            raise errors.ReconciliationRunning from None
    return row


def _beat(row: Reconciliation) -> None:
    """Show that this run lives; raises ReconciliationRunning if another took it for dead."""
    if row.pk is None:
        return
    mine = Reconciliation.objects.filter(pk=row.pk, error="")
    if not mine.update(beat_at=clock.now()):
        raise errors.ReconciliationRunning
