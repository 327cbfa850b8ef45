"""What Stripe sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin

from auctioncraft.admin import ReadOnlyAdmin
from payments.models import StripeEvent

if TYPE_CHECKING:
    from django.http import HttpRequest


class _Attention(admin.SimpleListFilter):
    """What staff should look at."""

    title = "attention"
    parameter_name = "attention"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        """Return the choices."""
        return [("flagged", "Flagged"), ("waiting", "Not processed yet")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:  # noqa: ARG002
        """Narrow the list."""
        if self.value() == "flagged":
            return queryset.exclude(flag="")
        return queryset.filter(processed_at__isnull=True) if self.value() == "waiting" else queryset


@admin.register(StripeEvent)
class StripeEventAdmin(ReadOnlyAdmin):
    """What Stripe sent, and what became of it."""

    list_display = ("id", "type", "received_at", "processed_at", "attempts", "flag", "error")
    list_filter = (_Attention, "type", "received_at")
    search_fields = ("id", "type", "flag")
    date_hierarchy = "received_at"
