"""Query parameters of lists: django-filter's filters with the API's own parsing.

A list view names its FilterSet as `filterset_class`; other views read theirs with `read_parameters`. An unknown
parameter and one without a value are ignored; a value that does not fit is 400.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import django_filters
from django import forms
from django.db.models import QuerySet
from django_filters.rest_framework import DjangoFilterBackend
from django_filters.utils import translate_validation
from drf_spectacular.drainage import set_override
from rest_framework.exceptions import ValidationError

from auctioncraft.api.fields import AMOUNT_STRING_SCHEMA, MAX_ID, IdField, MoneyField, UTCDateTimeField

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rest_framework.request import Request


class _ParsedFormField(forms.CharField):
    """A form field that parses its text as a serializer field of the API does."""

    def __init__(self, *, parse: Callable[[str], Any], **kwargs: Any) -> None:
        self.parse = parse
        super().__init__(**kwargs)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        try:
            return self.parse(text)
        except ValidationError as error:
            raise forms.ValidationError([str(text) for text in error.detail]) from error


class _ParsedFilter(django_filters.Filter):  # type: ignore[misc]  # the library has no types
    field_class = _ParsedFormField
    parse: ClassVar[Any]  # a function of the text
    schema: ClassVar[dict[str, Any]]

    def __init__(self, *, label: str, **kwargs: Any) -> None:
        """`label` describes the parameter in the schema."""
        super().__init__(parse=type(self).parse, label=label, **kwargs)
        set_override(self, "field", {**self.schema, "description": label})


class IdFilter(_ParsedFilter):
    """The ID of a row."""

    parse = IdField().run_validation
    schema: ClassVar = {"type": "integer", "minimum": 1, "maximum": MAX_ID}


class SequenceFilter(_ParsedFilter):
    """A sequence number, or 0 for none."""

    parse = IdField(min_value=0).run_validation
    schema: ClassVar = {"type": "integer", "minimum": 0, "maximum": MAX_ID}


class AmountFilter(_ParsedFilter):
    """An amount of money, in the currency of each row."""

    parse = MoneyField(zero=True).run_validation
    schema: ClassVar = {**AMOUNT_STRING_SCHEMA, "example": "150.00"}


class DateTimeFilter(_ParsedFilter):
    """A time in ISO 8601."""

    parse = UTCDateTimeField().run_validation
    schema: ClassVar = {"type": "string", "format": "date-time"}


def _parse_boolean(text: str) -> bool:
    try:
        return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
    except KeyError:
        raise ValidationError("Use true or false.") from None


class BooleanFilter(_ParsedFilter):
    """true or false. django-filter's own ignores what is neither."""

    parse = staticmethod(_parse_boolean)
    schema: ClassVar = {"type": "boolean"}


class ChoiceFilter(django_filters.ChoiceFilter):  # type: ignore[misc]  # as above
    """One of some values."""

    def __init__(self, values: Iterable[str], **kwargs: Any) -> None:
        """`values`: those that are accepted."""
        values = list(values)
        error = {"invalid_choice": f"Use one of {', '.join(values)}."}
        super().__init__(choices=[(value, value) for value in values], error_messages=error, **kwargs)


class ListFilterBackend(DjangoFilterBackend):  # type: ignore[misc]  # as above
    """django-filter's backend for lists alone: an action on one row has no filters."""

    def filter_queryset(self, request: Request, queryset: Any, view: Any) -> Any:
        """Return the rows that match the parameters. Raises ValidationError."""
        if view.action != "list" or request.query_params.keys() <= {"page", "page_size"}:
            return queryset
        return super().filter_queryset(request, queryset, view)


def read_parameters(filterset_class: type[django_filters.FilterSet], request: Request) -> dict[str, Any]:
    """Return the values of parameters that filter nothing, None for those not given. Raises ValidationError."""
    filterset = filterset_class(data=request.query_params, queryset=QuerySet(), request=request)
    if not filterset.is_valid():
        raise translate_validation(filterset.errors)
    values: dict[str, Any] = filterset.form.cleaned_data
    return values
