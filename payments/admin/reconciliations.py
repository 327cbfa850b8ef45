"""Reconciliations with Stripe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin

from auctioncraft.admin import ReadOnlyAdmin
from payments.models import Reconciliation

if TYPE_CHECKING:
    from django.http import HttpRequest


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

    @admin.display(description="differences")
    def difference_count(self, row: Reconciliation) -> int:
        """Show the number of differences."""
        return row.difference_count
