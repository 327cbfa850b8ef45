"""What Stripe sent."""

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
    """What staff should look at."""

    title = "attention"
    parameter_name = "attention"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        """Return the choices."""
        return [("flagged", "Flagged"), ("waiting", "Not processed yet"), ("failed", "The last try failed")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:  # noqa: ARG002
        """Narrow the list."""
        if self.value() == "flagged":
            return queryset.exclude(flag="")
        if self.value() == "failed":
            return queryset.exclude(error="")
        return queryset.filter(processed_at__isnull=True) if self.value() == "waiting" else queryset


@admin.register(StripeEvent)
class StripeEventAdmin(ReadOnlyAdmin):
    """What Stripe sent, and what became of it."""

    list_display = ("id", "type", "created_at", "received_at", "processed_at", "attempts", "flag", "error")
    list_filter = (NeedsAttentionFilter, "found_by", "type", "received_at")
    search_fields = ("id", "type", "flag", "account")
    date_hierarchy = "received_at"
    actions = ("reprocess",)

    def has_replay_permission(self, request: HttpRequest) -> bool:
        """Staff with Django's permission to change events, which is good for this alone."""
        return request.user.has_perm("payments.change_stripeevent")

    @admin.action(description="Act on it again", permissions=["replay"])
    def reprocess(self, request: HttpRequest, events: QuerySet[StripeEvent]) -> None:
        """Have the chosen events acted on in the order they came, whether that was done before or not.

        What came of each is told, and noted on its page with who asked for it.
        """
        for event in events.order_by("received_at"):
            level, came_of_it = _reprocess(event)
            self.log_change(request, event, f"Acted on again: {came_of_it}")
            self.message_user(request, f"{event.pk}: {came_of_it}", level)


def _reprocess(event: StripeEvent) -> tuple[int, str]:
    if event.type not in HANDLERS:
        return messages.WARNING, "nothing is done about events of this type."
    try:
        flag = webhooks.reprocess(event_id=event.pk).flag
    except DomainError as refusal:
        return messages.ERROR, refusal.message
    except Exception as error:
        # A fault of ours, kept on the event: the page says so, and the other events go on.
        logger.exception("acting on %s again failed", event.pk)
        return messages.ERROR, f"it failed ({type(error).__name__}). The event says why."
    return (messages.WARNING, f"done, and flagged: {flag}.") if flag else (messages.SUCCESS, "done.")
