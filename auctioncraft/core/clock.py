"""The one clock: the database's on PostgreSQL, so that servers whose clocks differ agree; the process's on SQLite."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.db import connection, models
from django.utils import timezone


def now() -> datetime:
    """Return the time, UTC. On PostgreSQL a query: `clock_timestamp()`, which moves within a transaction too."""
    if connection.vendor != "postgresql":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment.astimezone(UTC)


class DatabaseNow(models.Func):
    """The same clock as an expression, to compare with or to return in the query that reads the rows."""

    output_field = models.DateTimeField()
    function = "CLOCK_TIMESTAMP"
    template = "%(function)s()"
    arity = 0

    def as_sqlite(self, compiler: Any, connection: Any, **_: Any) -> Any:
        """Bind the process's time: SQLite's own has milliseconds only, and tests cannot move it."""
        value = models.Value(timezone.now(), output_field=models.DateTimeField())
        return value.resolve_expression(compiler.query).as_sql(compiler, connection)


class StatementNow(DatabaseNow):
    """The start of the statement, to filter by: one value for all rows, so PostgreSQL can use an index."""

    function = "STATEMENT_TIMESTAMP"


def isoformat_utc(moment: datetime) -> str:
    """Write a moment as the API answers it: ISO 8601, UTC, `Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
