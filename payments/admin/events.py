"""Events received from Stripe."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages

from auctioncraft.admin import ReadOnlyAdmin
from auctioncraft.core.errors import DomainError
from payments.models import StripeEvent
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

    def has_reprocess_permission(self, request: HttpRequest) -> bool:
        """Return whether the user has the permission to change events, which allows only this."""
        return request.user.has_perm("payments.change_stripeevent")

    @admin.action(description="Reprocess", permissions=["reprocess"])
    def reprocess(self, request: HttpRequest, events: QuerySet[StripeEvent]) -> None:
        """Process the selected events again in the order they came; show and log the result of each."""
        for event in events.order_by("received_at"):
            level, result = _reprocess(event)
            self.log_change(request, event, f"Reprocessed: {result}")
            self.message_user(request, f"{event.pk}: {result}", level)


def _reprocess(event: StripeEvent) -> tuple[int, str]:
    if event.type not in HANDLERS:
        return messages.WARNING, "events of this type are ignored."
    try:
        flag = webhooks.reprocess(event_id=event.pk).flag
    except DomainError as error:
        return messages.ERROR, error.message
    except Exception as error:
        # Our error; the other events continue.
        logger.exception("reprocessing %s failed", event.pk)
        return messages.ERROR, f"failed ({type(error).__name__}). See the server log."
    return (messages.WARNING, f"processed, flagged: {flag}.") if flag else (messages.SUCCESS, "processed.")
