"""Querysets of the hot paths, compiled to SQL once and not on every request.

Django's compiler costs more than PostgreSQL's work on a page of products (ADR 0008). The queryset remains the one
definition of what is read; only its SQL is cached.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.db import connection

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.db.models import QuerySet

# Placeholders for the arguments while the SQL is compiled: numbers that no queryset contains otherwise.
_MARKERS = tuple(range(7_000_000_000_000_001, 7_000_000_000_000_006))


class PrecompiledQuery:
    """A `values()` queryset with integer arguments: `build(*arguments)`.

    On PostgreSQL it is compiled at the first call; the same text each time is also prepared by the server. On SQLite
    it is built each time, because there DatabaseNow binds the time as a parameter.
    """

    def __init__(self, build: Callable[..., QuerySet[Any]], *, arguments: int = 0) -> None:
        """`arguments`: the number of arguments of `build`."""
        self.build = build
        self.arguments = arguments

    def rows(self, *arguments: int) -> list[dict[str, Any]]:
        """Return the rows as dicts. One query."""
        if connection.vendor != "postgresql":
            return list(self.build(*arguments))
        sql, parameters, names, converters = self._compiled
        with connection.cursor() as cursor:
            _read_times_natively(cursor.cursor)
            cursor.execute(sql, [arguments[value] if is_argument else value for is_argument, value in parameters])
            found = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        for name, convert in converters:
            for row in found:
                row[name] = convert(row[name])
        return found

    @cached_property
    def _compiled(self) -> tuple[str, list[tuple[bool, Any]], list[str], list[tuple[str, Callable[[Any], Any]]]]:
        markers = _MARKERS[: self.arguments]
        query = self.build(*markers).query
        compiler = query.get_compiler(connection=connection)
        sql, values = compiler.as_sql()
        names = list(query.selected or ())
        converters = compiler.get_converters([column[0] for column in compiler.select])
        return (
            sql,
            [(value in markers, markers.index(value) if value in markers else value) for value in values],
            names,
            [(names[at], _converter(functions, expression)) for at, (functions, expression) in converters.items()],
        )


def _converter(functions: list[Callable[..., Any]], expression: Any) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        for function in functions:
            value = function(value, expression, connection)
        return value

    return convert


def _read_times_natively(cursor: Any) -> None:
    """Load times with psycopg's C code: the connection's time zone is UTC, which is all that Django's loader adds."""
    from psycopg.types.datetime import TimestamptzLoader  # noqa: PLC0415 (only where PostgreSQL is the database)

    cursor.adapters.register_loader("timestamptz", TimestamptzLoader)
