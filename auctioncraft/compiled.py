"""Reads of the hot paths: a queryset whose SQL is worked out once, not on every request.

Django's compiler costs as much as PostgreSQL's work on a page of products (docs/scaling.md). The queryset stays the one
definition of what is read; only the text of its SQL is kept.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.db import connection

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.db.models import QuerySet

# Stand for the arguments while the SQL is worked out: numbers that no queryset of ours holds by itself.
_MARKS = tuple(range(7_000_000_000_000_001, 7_000_000_000_000_006))


class CompiledValues:
    """A `values()` queryset of whole-number arguments, which may be slice bounds: `build(*arguments)`.

    On PostgreSQL compiled at the first call and then sent as it is, so that it is prepared there too. Elsewhere built
    anew: on SQLite the time is a parameter of DatabaseNow's.
    """

    def __init__(self, build: Callable[..., QuerySet[Any]], arguments: int) -> None:
        """`arguments`: how many `build` takes."""
        self.build = build
        self.arguments = arguments

    def rows(self, *arguments: int) -> list[dict[str, Any]]:
        """Return the rows as dicts: one query."""
        if connection.vendor != "postgresql":
            return list(self.build(*arguments))
        sql, parameters, names, converters = self._compiled
        with connection.cursor() as cursor:
            cursor.execute(sql, [arguments[value] if is_argument else value for is_argument, value in parameters])
            found = [list(row) for row in cursor.fetchall()]
        for position, convert in converters:
            for row in found:
                row[position] = convert(row[position])
        return [dict(zip(names, row, strict=True)) for row in found]

    @cached_property
    def _compiled(self) -> tuple[str, list[tuple[bool, Any]], list[str], list[tuple[int, Callable[[Any], Any]]]]:
        marks = _MARKS[: self.arguments]
        query = self.build(*marks).query
        compiler = query.get_compiler(connection=connection)
        sql, values = compiler.as_sql()
        parameters = [(value in marks, marks.index(value) if value in marks else value) for value in values]
        # Slice bounds are written into the SQL, at its end: limit, then offset.
        for mark in sorted((mark for mark in marks if str(mark) in sql), key=lambda mark: sql.index(str(mark))):
            sql = sql.replace(str(mark), "%s")
            parameters.append((True, marks.index(mark)))
        converters = [
            (position, _converter(functions, expression))
            for position, (functions, expression) in compiler.get_converters(
                [column[0] for column in compiler.select]
            ).items()
        ]
        return sql, parameters, list(query.selected or ()), converters


def _converter(functions: list[Callable[..., Any]], expression: Any) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        for function in functions:
            value = function(value, expression, connection)
        return value

    return convert
