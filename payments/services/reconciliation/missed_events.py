"""Events that Stripe could not deliver: imported and processed, the oldest first."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from django.db.models import Count

from payments import errors, stripe_gateway
from payments.models import StripeEvent
from payments.services import webhooks
from payments.services.event_handlers import HANDLERS

if TYPE_CHECKING:
    from payments.services.reconciliation.report import Report
    from payments.stripe_gateway import Event

logger = logging.getLogger(__name__)


def import_missed(report: Report) -> None:
    """Import events of handled types since `since` that never reached us; report what could not be processed.

    Stripe lists a platform's own events; a connected account's come by webhook alone.
    """
    missing: list[Event] = []
    for page in report.pages(stripe_gateway.list_events(types=HANDLERS, since=report.since)):
        report.counts["events"] += len(page)
        known = set(StripeEvent.objects.filter(pk__in=[event.id for event in page]).values_list("pk", flat=True))
        missing += [event for event in page if event.id not in known]
    for events in report.pages(sorted(missing, key=lambda event: event.created_at or report.since)):
        for event in events:
            _import_event(report, event)
    _report(report)


def _import_event(report: Report, event: Event) -> None:
    if not report.fix:
        report.add_difference(f"event {event.id} ({event.type}) has not reached us", event.id)
        return
    webhooks.store(event=event, found_by=StripeEvent.FoundBy.RECONCILIATION)
    report.counts["events_imported"] += 1
    try:
        webhooks.process(event_id=event.id)
    except errors.StripeDown:
        raise
    except Exception as error:  # noqa: BLE001 (recorded on its row; the others must go on)
        logger.warning("stripe event %s, found by reconciliation, failed: %s", event.id, type(error).__name__)


def _report(report: Report) -> None:
    failed = StripeEvent.objects.filter(processed_at__isnull=True).exclude(last_error="").order_by("received_at")
    for pk, kind, error in failed.values_list("pk", "type", "last_error").iterator():
        report.add_difference(f"event {pk} ({kind}) was not processed: {error}", pk)
    flagged = StripeEvent.objects.filter(received_at__gte=report.since).exclude(flag="").order_by()
    for flag, times in flagged.values_list("flag").annotate(times=Count("pk")):
        report.counts[f"flagged: {flag}"] = times
