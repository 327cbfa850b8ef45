"""The clock: PostgreSQL's, so that servers whose clocks differ agree; on SQLite the process's."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.db import connection, models
from django.utils import timezone


def now() -> datetime:
    """Return the time, UTC. On PostgreSQL a query: `clock_timestamp()`, which also moves within a transaction."""
    if connection.vendor != "postgresql":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment.astimezone(UTC)


class DatabaseNow(models.Func):
    """The same clock as an expression, to return or to compare with in a query."""

    output_field = models.DateTimeField()
    function = "CLOCK_TIMESTAMP"
    template = "%(function)s()"
    arity = 0

    def as_sqlite(self, compiler: Any, connection: Any, **_: Any) -> Any:
        """Bind the process's time: SQLite's has only milliseconds, and tests cannot move it."""
        value = models.Value(timezone.now(), output_field=models.DateTimeField())
        return value.resolve_expression(compiler.query).as_sql(compiler, connection)


class StatementNow(DatabaseNow):
    """The start of the statement, to filter by: one value for all rows, so PostgreSQL can use an index."""

    function = "STATEMENT_TIMESTAMP"


def isoformat_utc(moment: datetime) -> str:
    """Format a time for the API: ISO 8601, UTC, `Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
