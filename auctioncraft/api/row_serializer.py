"""Serializers of rows of `values()`, for lists and details that are read all the time."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from rest_framework import serializers

from auctioncraft.api.fields import MoneyOutputField
from auctioncraft.core import money

if TYPE_CHECKING:
    from collections.abc import Callable

    Row = dict[str, Any]
    Reader = Callable[[serializers.Serializer, Row], Any]

# Their values need no change: the renderer writes them.
_AS_THEY_ARE: Final = {
    *(serializers.IntegerField, serializers.BooleanField, serializers.CharField, serializers.ChoiceField),
    *(serializers.UUIDField, serializers.DateTimeField),
}


class RowSerializer(serializers.Serializer):
    """Gives DRF's answer several times as fast: it prepares the fields once for the class, not for every instance.

    A field that is not required is left out if the row does not have it.
    """

    def to_representation(self, instance: Row) -> Row:
        """Return the answer."""
        return {
            name: read(self, instance)
            for name, optional, read in _readers(type(self))
            if optional is None or optional in instance
        }


@cache
def _readers(serializer_class: type[RowSerializer]) -> list[tuple[str, str | None, Reader]]:
    """Return of each field its name, its source if that can be missing, and how its value is read."""
    return [
        (name, None if field.required or field.read_only else field.source, _reader(field))
        for name, field in serializer_class().fields.items()
    ]


def _reader(field: Any) -> Reader:
    source, convert = field.source, field.to_representation
    if isinstance(field, serializers.SerializerMethodField):
        method: Reader = getattr(type(field.parent), field.method_name)
        return method
    if isinstance(field, MoneyOutputField):
        return lambda _, row: money.to_text_or_none(row[source], row[field.currency_source])
    if type(field) in _AS_THEY_ARE:
        return lambda _, row: row[source]
    if source == "*":
        return lambda _, row: convert(row)
    return lambda _, row: None if row[source] is None else convert(row[source])
