"""What staff do here is done by services; how it went is told in messages."""

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
    """Do named acts, each of which opens its own transaction: one that is refused does not undo the others.

    An act returns what to say when it is done; the message escapes it.
    """
    for name, action in actions:
        try:
            done = action()
        except DomainError as refusal:
            model_admin.message_user(request, f"{name}: {error_text(refusal)}", messages.ERROR)
        else:
            model_admin.message_user(request, f"{name}: {done}", messages.SUCCESS)


def error_text(refusal: DomainError) -> str:
    """Return why it was refused, in sentences: for malformed input what is wrong with each field."""
    errors: dict[str, list[Any]] = refusal.extra.get("errors", {})
    return " ".join(f"{field}: {text}" for field, texts in errors.items() for text in texts) or refusal.message
