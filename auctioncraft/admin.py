"""Base classes of the apps' admin, and actions that call services and show the result in messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from unfold.admin import ModelAdmin

from auctioncraft.core.errors import DomainError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

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


def run_actions(
    model_admin: ModelAdmin,
    request: HttpRequest,
    actions: Iterable[tuple[str, Callable[[], str]]],
    *,
    stop_on: tuple[type[DomainError], ...] = (),
) -> None:
    """Run named actions, each in its own transaction: a refused one does not undo the others.

    An action returns the message of its success, which is escaped. After an error of `stop_on` no other action is run:
    they would all wait for a service that does not respond.
    """
    remaining = iter(actions)
    for name, action in remaining:
        try:
            done = action()
        except DomainError as refusal:
            model_admin.message_user(request, f"{name}: {error_text(refusal)}", messages.ERROR)
            if isinstance(refusal, stop_on) and (skipped := sum(1 for _ in remaining)):
                model_admin.message_user(request, f"Stopped. Not tried: {skipped}.", messages.WARNING)
        else:
            model_admin.message_user(request, f"{name}: {done}", messages.SUCCESS)


def error_text(refusal: DomainError) -> str:
    """Return the error in sentences; for invalid input, what is wrong with each field."""
    errors: dict[str, list[Any]] = refusal.extra.get("errors", {})
    return " ".join(f"{field}: {text}" for field, texts in errors.items() for text in texts) or refusal.message
