"""Admin actions that call services and show the result in messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages

from auctioncraft.core.errors import DomainError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from django.contrib.admin import ModelAdmin
    from django.http import HttpRequest


def run_actions(
    model_admin: ModelAdmin, request: HttpRequest, actions: Iterable[tuple[str, Callable[[], str]]]
) -> None:
    """Run named actions, each in its own transaction: a refused one does not undo the others.

    An action returns the message of its success, which is escaped.
    """
    for name, action in actions:
        try:
            done = action()
        except DomainError as refusal:
            model_admin.message_user(request, f"{name}: {error_text(refusal)}", messages.ERROR)
        else:
            model_admin.message_user(request, f"{name}: {done}", messages.SUCCESS)


def error_text(refusal: DomainError) -> str:
    """Return the error in sentences; for invalid input, what is wrong with each field."""
    errors: dict[str, list[Any]] = refusal.extra.get("errors", {})
    return " ".join(f"{field}: {text}" for field, texts in errors.items() for text in texts) or refusal.message
