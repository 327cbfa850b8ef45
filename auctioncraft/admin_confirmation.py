"""Actions of the admin that cannot be taken back: a page says what follows and asks for the reason.

    @confirmed_action("Cancel", "Nobody wins, and no bid counts.", permissions=["act"])
    def cancel(self, actor: User, auction: Auction, *, reason: str) -> str:
        closing.cancel_auction(product_id=auction.pk, actor=actor, reason=reason)
        return "canceled."

The method is called for each selected row, after the page was confirmed, and returns the message of its success. The
service that it calls checks the actor, and records actor, time and reason.
"""

from __future__ import annotations

from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.template.response import TemplateResponse
from unfold.widgets import UnfoldAdminTextareaWidget

from auctioncraft.admin import BaseAdmin, run_actions

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.db.models import QuerySet
    from django.http import HttpRequest

    from auctioncraft.core.errors import DomainError

MAX_REASON: Final = 500
# Each row is one call of a service, and the page names them all.
MAX_ROWS: Final = 100


class ReasonForm(forms.Form):
    """Why staff do it."""

    reason = forms.CharField(
        max_length=MAX_REASON,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        help_text="Recorded with your name and the time.",
    )


def confirmed_action(
    description: str,
    consequence: str,
    *,
    permissions: list[str],
    form: type[ReasonForm] = ReasonForm,
    order_by: tuple[str, ...] = ("pk",),
    max_rows: int = MAX_ROWS,
    stop_on: tuple[type[DomainError], ...] = (),
) -> Callable[[Callable[..., str]], Callable[..., Any]]:
    """Make an action of a method that is called for one row, with the user and the fields of `form`."""

    def decorate(method: Callable[..., str]) -> Callable[..., Any]:
        @admin.action(description=description, permissions=permissions)
        @wraps(method)
        def act(self: BaseAdmin, request: HttpRequest, selected: QuerySet[Any]) -> TemplateResponse | None:
            rows = list(selected.order_by(*order_by)[: max_rows + 1])
            if len(rows) > max_rows:
                self.message_user(request, f"Select at most {max_rows} of them.", messages.ERROR)
                return None
            # Only the page that asks sends `confirmed`.
            filled = form(request.POST if "confirmed" in request.POST else None)
            if not filled.is_valid():
                return _ask(self, request, filled, rows, title=description, consequence=consequence, action=method)
            given = filled.cleaned_data
            calls = ((self.name_row(row), partial(method, self, request.user, row, **given)) for row in rows)
            run_actions(self, request, calls, stop_on=stop_on)
            return None

        return act

    return decorate


def _ask(
    model_admin: BaseAdmin, request: HttpRequest, form: ReasonForm, rows: list[Any], *, action: Any, **context: str
) -> TemplateResponse:
    """Return the page that asks for the reason."""
    page = {
        **model_admin.admin_site.each_context(request),
        **context,
        "opts": model_admin.opts,
        "media": model_admin.media + form.media,
        "form": form,
        "rows": [(str(row.pk), model_admin.describe_row(row)) for row in rows],
        "action": action.__name__,
        "action_checkbox_name": ACTION_CHECKBOX_NAME,
    }
    return TemplateResponse(request, "auctioncraft/confirm_action.html", page)
