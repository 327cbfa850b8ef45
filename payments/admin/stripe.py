"""What Stripe said: events, and reconciliations with our rows."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages

from auctioncraft.admin import ReadOnlyAdmin
from auctioncraft.core.errors import DomainError
from payments.errors import StripeDown
from payments.models import Reconciliation, StripeEvent
from payments.services import webhooks
from payments.services.event_handlers import HANDLERS

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest

logger = logging.getLogger(__name__)


class NeedsAttentionFilter(admin.SimpleListFilter):
    """Events that need attention."""

    title = "attention"
    parameter_name = "attention"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        """Return the choices of the filter."""
        return [("flagged", "Flagged"), ("waiting", "Not processed"), ("failed", "Failed")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:  # noqa: ARG002
        """Filter the list."""
        if self.value() == "flagged":
            return queryset.exclude(flag="")
        if self.value() == "failed":
            return queryset.exclude(last_error="")
        return queryset.filter(processed_at__isnull=True) if self.value() == "waiting" else queryset


@admin.register(StripeEvent)
class StripeEventAdmin(ReadOnlyAdmin):
    """Events received from Stripe and the result of processing them."""

    list_display = ("id", "type", "created_at", "received_at", "processed_at", "attempts", "flag", "last_error")
    list_filter = (NeedsAttentionFilter, "found_by", "type", "received_at")
    search_fields = ("id", "type", "flag", "account")
    date_hierarchy = "received_at"
    actions = ("reprocess",)

    @admin.action(description="Reprocess", permissions=["act"])
    def reprocess(self, request: HttpRequest, events: QuerySet[StripeEvent]) -> None:
        """Process the selected events again in the order they came; show and log the result of each.

        Stops when Stripe does not respond: the others would wait for it too.
        """
        remaining = iter(events.order_by("received_at"))
        for event in remaining:
            level, result, is_down = _reprocess(event)
            self.log_change(request, event, f"Reprocessed: {result}")
            self.message_user(request, f"{event.pk}: {result}", level)
            if is_down and (skipped := sum(1 for _ in remaining)):
                self.message_user(request, f"Stopped. Not tried: {skipped}.", messages.WARNING)


def _reprocess(event: StripeEvent) -> tuple[int, str, bool]:
    """Return the message's level, the message, and whether Stripe does not respond."""
    if event.type not in HANDLERS:
        return messages.WARNING, "events of this type are ignored.", False
    try:
        flag = webhooks.reprocess(event_id=event.pk).flag
    except DomainError as error:
        return messages.ERROR, error.message, isinstance(error, StripeDown)
    except Exception as error:
        # Our error; the other events continue.
        logger.exception("reprocessing %s failed", event.pk)
        return messages.ERROR, f"failed ({type(error).__name__}). See the server log.", False
    return (
        (messages.WARNING, f"processed, flagged: {flag}.", False) if flag else (messages.SUCCESS, "processed.", False)
    )


class OutcomeFilter(admin.SimpleListFilter):
    """The outcome of a reconciliation."""

    title = "outcome"
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        """Return the choices of the filter."""
        return [("differs", "Differences found"), ("failed", "Failed")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:  # noqa: ARG002
        """Filter the list."""
        if self.value() == "differs":
            return queryset.exclude(differences=[])
        return queryset.exclude(error="") if self.value() == "failed" else queryset


@admin.register(Reconciliation)
class ReconciliationAdmin(ReadOnlyAdmin):
    """Reconciliations: counts, sums of both sides, and the differences found."""

    list_display = ("id", "since", "started_at", "finished_at", "difference_count", "error")
    list_filter = (OutcomeFilter, "started_at")
    search_fields = ("=id", "error")
    date_hierarchy = "started_at"
