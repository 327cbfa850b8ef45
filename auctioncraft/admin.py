"""Base classes of the apps' admin, and actions that call services and show the result in messages."""

from __future__ import annotations

from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.template.response import TemplateResponse
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminTextareaWidget

from auctioncraft.core import money
from auctioncraft.core.errors import DomainError
from auctioncraft.core.model_fields import MoneyField

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from django.db.models import Model, QuerySet
    from django.http import HttpRequest

EMPTY_VALUE: Final = "–"  # noqa: RUF001 (a dash)
_JOB_FIELDS: Final = ("attempts", "next_attempt_at", "last_attempt_at", "last_error")


def amount_column(field: str, currency: str = "currency") -> Callable[..., str]:
    """Return a column that shows an amount with its currency, for a ModelAdmin's attribute or its lists of fields.

    `currency` is the path to it from the row.
    """

    @admin.display(description=field.replace("_", " "), ordering=field)
    def show(*args: Any) -> str:
        row = args[-1]  # Django calls an attribute of a ModelAdmin with the ModelAdmin first
        value, code = getattr(row, field), attrgetter(currency)(row)
        return EMPTY_VALUE if value is None else f"{money.to_text(value, code)} {code}"

    show.do_not_call_in_templates = True  # type: ignore[attr-defined]  # read by Django; unfold's inlines need it
    return show


@cache
def _amount_columns(model: type[Model]) -> dict[Any, Callable[..., str]]:
    """Return a column for each amount of a model that names its currency: `received_currency`, else `currency`."""
    names = [field.name for field in model._meta.fields if isinstance(field, MoneyField)]  # noqa: SLF001 (Django's own door)
    currencies = {name: f"{name}_currency" if hasattr(model, f"{name}_currency") else "currency" for name in names}
    return {name: amount_column(name, path) for name, path in currencies.items() if hasattr(model, path)}


class ReadOnlyMixin:
    """Disable adding, changing and deleting; show amounts with their currency. Comes before Django's class."""

    model: type[Model]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Show the amounts by their columns."""
        columns = _amount_columns(self.model)
        return list(dict.fromkeys(columns.get(field, field) for field in super().get_fields(request, obj)))  # type: ignore[misc]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Add the columns of the amounts."""
        return [*super().get_readonly_fields(request, obj), *_amount_columns(self.model).values()]  # type: ignore[misc]

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

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """Show the amounts by their columns."""
        columns = _amount_columns(self.model)
        return [columns.get(name, name) for name in super().get_list_display(request)]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """Show the fields of core/retry.py last and collapsed."""
        fields = self.get_fields(request, obj)
        job = [name for name in _JOB_FIELDS if name in fields]
        shown = [(None, {"fields": [name for name in fields if name not in job]})]
        return [*shown, ("Job", {"fields": job, "classes": ("collapse",)})] if job else shown

    def has_act_permission(self, request: HttpRequest) -> bool:
        """Return whether the user has the permission to change these rows, which allows only the actions."""
        return request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}")


class RetryAdmin(ReadOnlyAdmin):
    """Rows that a job sends (core/retry.py), and an action that makes them due again. `restart` is the service."""

    actions = ("retry",)
    restart: Callable[[QuerySet[Any]], int]

    @admin.action(description="Retry now", permissions=["act"])
    def retry(self, request: HttpRequest, selected: QuerySet[Any]) -> None:
        """Make the selected rows that are not sent due again, also those given up."""
        count = selected.count()
        restarted = self.restart(selected)
        self.message_user(request, f"Will be sent within a minute: {restarted}.", messages.SUCCESS)
        if unchanged := count - restarted:
            self.message_user(request, f"Not changed: {unchanged}, sent or being sent now.", messages.WARNING)


class ReasonForm(forms.Form):
    """Why an action is done."""

    reason = forms.CharField(max_length=500, widget=UnfoldAdminTextareaWidget({"rows": 3}))


def confirmed(request: HttpRequest, form: type[forms.Form]) -> forms.Form:
    """Return the form of an action: filled in if the user comes from `confirm_action`'s page, else empty."""
    return form(request.POST if "confirmed" in request.POST else None)


def confirm_action(
    model_admin: ModelAdmin,
    request: HttpRequest,
    *,
    action: str,
    title: str,
    consequence: str,
    form: forms.Form,
    rows: Iterable[Model],
) -> TemplateResponse:
    """Return the page that names the selected rows, says what will happen to them, and asks for what the form wants."""
    rows = list(rows)
    context = {
        **model_admin.admin_site.each_context(request),
        "title": title,
        "opts": model_admin.opts,
        "media": model_admin.media,
        "consequence": consequence,
        "form": form,
        "rows": rows,
        "selected": [row.pk for row in rows],
        "action": action,
        "action_checkbox_name": ACTION_CHECKBOX_NAME,
    }
    return TemplateResponse(request, "auctioncraft/confirm_action.html", context)


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
