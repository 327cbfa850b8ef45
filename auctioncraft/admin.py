"""Base classes of the apps' admin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unfold.admin import ModelAdmin

if TYPE_CHECKING:
    from django.http import HttpRequest


class ReadOnlyMixin:
    """Disable adding, changing and deleting. For a ModelAdmin or an inline, before Django's class."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 (the admin's signature)
        """Return False."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 (as above)
        """Return False: rows are shown read-only."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 (as above)
        """Return False."""
        return False


class ReadOnlyAdmin(ReadOnlyMixin, ModelAdmin):  # type: ignore[misc]  # unfold has no types
    """Rows that only services write. The tables are large, so a page does not count all rows."""

    show_full_result_count = False
    list_per_page = 50
