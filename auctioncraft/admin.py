"""What every app's admin shares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unfold.admin import ModelAdmin

if TYPE_CHECKING:
    from django.http import HttpRequest


class ReadOnlyMixin:
    """Nothing is added, changed or deleted by hand. For an admin or an inline, before Django's class."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 (the admin's signature)
        """Nobody."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 (as above)
        """Nobody; what cannot be changed is shown all the same."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 (as above)
        """Nobody."""
        return False


class ReadOnlyAdmin(ReadOnlyMixin, ModelAdmin):  # type: ignore[misc]  # unfold has no types
    """Rows that only services write. The tables are big: a page does not count all of theirs."""

    show_full_result_count = False
    list_per_page = 50
