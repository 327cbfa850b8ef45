"""Base classes of the apps' admin, and actions that call services and show the result in messages.

Every registered ModelAdmin derives from BaseAdmin: Django's own lets all who may see a list filter it by any column of
the model, and so read hidden ones digit by digit.
"""

from __future__ import annotations

from datetime import MAXYEAR, MINYEAR, datetime
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from django.contrib import admin, messages
from django.contrib.admin.filters import EmptyFieldListFilter, ListFilter
from django.contrib.admin.utils import get_fields_from_path
from django.db.models import DateField
from unfold.admin import ModelAdmin

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


class BaseAdmin(ModelAdmin):  # type: ignore[misc]  # unfold has no types
    """Base of every page: lists answer only the lookups of their own filters; rows are deleted by actions only."""

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Allow what the list's own filters and dates link to. Anything else is 400."""
        return lookup in self._allowed_lookups(request) and _is_in_range(lookup, str(value))

    def to_field_allowed(self, request: HttpRequest, to_field: str) -> bool:  # noqa: ARG002 (Django's signature)
        """Let rows be found by their key only."""
        return bool(to_field == self.opts.pk.name)

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        """Leave out the columns of models that the user may not view: a search would show whether they match."""
        return [path for path in super().get_search_fields(request) if self._may_search(request, path)]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 (Django's signature)
        """Return False: rows are deleted by actions that ask for a reason."""
        return False

    def name_row(self, row: Any) -> str:
        """Return how messages about an action name a row."""
        return f"{self.opts.verbose_name} {row.pk}".capitalize()

    def describe_row(self, row: Any) -> str:
        """Return what the page that asks for a reason says of a row."""
        return f"{self.name_row(row)}: {row}"

    def has_act_permission(self, request: HttpRequest) -> bool:
        """Return whether the user has the permission to change these rows, which allows only the actions."""
        return request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}")

    def has_remove_permission(self, request: HttpRequest) -> bool:
        """Return whether the user has the permission to delete these rows, which allows only the action."""
        return request.user.has_perm(f"{self.opts.app_label}.delete_{self.opts.model_name}")

    def _allowed_lookups(self, request: HttpRequest | None) -> set[str]:
        allowed: set[str] = set()
        if self.date_hierarchy:
            allowed |= {f"{self.date_hierarchy}__{part}" for part in ("year", "month", "day")}
        for item in self.get_list_filter(request):
            allowed |= _lookups_of_filter(self.model, item)
        return allowed

    def _may_search(self, request: HttpRequest, path: str) -> bool:
        *relations, column = get_fields_from_path(self.model, path.lstrip("=^@"))
        models = {field.related_model for field in relations if field.related_model}
        return column.primary_key or all(
            request.user.has_perm(f"{model._meta.app_label}.view_{model._meta.model_name}")  # noqa: SLF001 (documented)
            for model in models
        )


def _lookups_of_filter(model: type[Model], item: Any) -> set[str]:
    """Return the query parameters of an entry of list_filter."""
    path, filter_class = item if isinstance(item, (list, tuple)) else (item, None)
    if isinstance(path, type) and issubclass(path, ListFilter):
        return {path.parameter_name}  # type: ignore[attr-defined]
    if filter_class is EmptyFieldListFilter:
        return {f"{path}__isempty"}
    field: Any = get_fields_from_path(model, path)[-1]
    if isinstance(field, DateField):
        return {f"{path}__gte", f"{path}__lt"}
    if field.is_relation:
        return {f"{path}__{field.target_field.name}__exact", f"{path}__isnull"}
    return {path, f"{path}__exact", f"{path}__isnull"}


def _is_in_range(lookup: str, value: str) -> bool:
    """Return whether a year or a time has a day before and after it, as Django and time zones require."""
    try:
        if lookup.endswith("__year"):
            return MINYEAR < int(value) < MAXYEAR
        if lookup.endswith(("__gte", "__lt")):
            return MINYEAR < datetime.fromisoformat(value).year < MAXYEAR
    except ValueError:
        return False
    return True


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


class ReadOnlyAdmin(ReadOnlyMixin, BaseAdmin):
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
