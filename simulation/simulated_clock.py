"""A clock that stands where it is told to and is moved by hand, for simulations and tests of days and weeks.

Nothing of ours has a seam for it: it stands under the SQL that production runs. Only on a scratch database.

- PostgreSQL: functions of the same names in a schema that the session searches before pg_catalog. A plan that was
  prepared under another search path is made anew by PostgreSQL, so prepared statements follow too.
- SQLite: `django.utils.timezone.now`, which auctioncraft.core.clock reads, and a `strftime` of the connection's own,
  which is what Django's Now() calls. CURRENT_TIMESTAMP is a keyword that nothing can move; nothing of ours uses it.
"""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self
from unittest import mock

from django.db import connection
from django.db.backends.signals import connection_created
from django.utils import timezone

if TYPE_CHECKING:
    from types import TracebackType

# What create_test_db, pytest-django and our own tests call theirs.
SCRATCH: Final = ("test_", "test.", "auctioncraft_test_")

# As volatile as the originals; without the setting, in other sessions, they give what those give.
_FUNCTIONS: Final = {
    "clock_timestamp": "VOLATILE",
    "statement_timestamp": "STABLE",
    "transaction_timestamp": "STABLE",
    "now": "STABLE",
}
_FUNCTION: Final = """
    CREATE OR REPLACE FUNCTION simulated_clock.{name}() RETURNS timestamptz LANGUAGE sql {volatility} PARALLEL SAFE
    AS $$ SELECT coalesce(
      nullif(pg_catalog.current_setting('auctioncraft.now', true), '')::timestamptz, pg_catalog.{name}()
    ) $$
"""
# A column's default was bound to pg_catalog's function when the table was made.
_DEFAULTS: Final = """
    SELECT format('ALTER TABLE %I.%I ALTER COLUMN %I SET DEFAULT simulated_clock.statement_timestamp()',
                  table_schema, table_name, column_name)
    FROM information_schema.columns WHERE column_default = 'statement_timestamp()'
"""


class NotScratchError(RuntimeError):
    """The database may hold somebody's data."""


class SimulatedClock:
    """`with SimulatedClock(start) as clock: clock.move_to(later)`: every clock of the default connection, and Django's.

    For one thread: another's connection stands where the clock stood when it connected. A transaction that is rolled
    back takes the clock back too on PostgreSQL, so move it outside of transactions. No tables can be made under it.
    """

    _running: ClassVar[SimulatedClock | None] = None

    def __init__(self, start: datetime) -> None:
        """`start` knows its zone."""
        self.now = start.astimezone(UTC)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Stop the clock at the start. Raises NotScratchError, and RuntimeError if another one runs."""
        if not is_scratch():
            raise NotScratchError(f"{connection.settings_dict['NAME']} is not a scratch database.")
        if SimulatedClock._running:
            raise RuntimeError("One clock at a time.")
        with self._stack:
            connection.ensure_connection()
            if connection.vendor == "postgresql":
                _install()
            SimulatedClock._running = self
            self._stack.callback(setattr, SimulatedClock, "_running", None)
            self._stack.enter_context(mock.patch.object(timezone, "now", self._read))
            connection_created.connect(self._on_connect)
            self._stack.callback(connection_created.disconnect, self._on_connect)
            self._stack.callback(_release)
            self._take_over()
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the clocks run again."""
        self._stack.close()

    def move_to(self, moment: datetime) -> None:
        """Move on to `moment`. Raises ValueError for one that is past: this clock never steps back."""
        if moment < self.now:
            raise ValueError(f"{moment} is before {self.now}")
        self.now = moment.astimezone(UTC)
        if connection.vendor == "postgresql":
            self._tell_postgresql()

    def _read(self) -> datetime:
        return self.now

    def _on_connect(self, *, connection: Any, **_: Any) -> None:
        if connection.alias == "default":
            self._take_over()

    def _take_over(self) -> None:
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SHOW search_path")
                path = cursor.fetchone()[0]
                if not path.startswith("simulated_clock"):
                    cursor.execute(f"SET search_path = simulated_clock, pg_catalog, {path}")
            self._tell_postgresql()
        else:
            connection.connection.create_function("strftime", -1, _strftime)

    def _tell_postgresql(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('auctioncraft.now', %s, false)", [self.now.isoformat()])


def is_scratch() -> bool:
    """Return whether the default connection's database is one that tests or simulations made, by its name."""
    name = str(connection.settings_dict["NAME"])
    return "mode=memory" in name or name == ":memory:" or Path(name).name.startswith(SCRATCH)


def _install() -> None:
    """Put the functions into the database, for good: it is a scratch one, and they are inert without the setting."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regprocedure('simulated_clock.now()') IS NOT NULL")
        if not cursor.fetchone()[0]:
            cursor.execute("CREATE SCHEMA IF NOT EXISTS simulated_clock")
            for name, volatility in _FUNCTIONS.items():
                cursor.execute(_FUNCTION.format(name=name, volatility=volatility))
        cursor.execute(_DEFAULTS)
        for (statement,) in cursor.fetchall():
            cursor.execute(statement)


def _release() -> None:
    if connection.vendor == "postgresql" and connection.connection is not None:
        with connection.cursor() as cursor:
            cursor.execute("RESET search_path")
            cursor.execute("RESET auctioncraft.now")


def _strftime(*arguments: Any) -> Any:
    """As SQLite's own, which it replaces for good (SQLite cannot take it back), but for what `now` is."""
    clock = SimulatedClock._running  # noqa: SLF001 (its own module)
    if clock is not None:
        moment = f"{clock.now:%Y-%m-%d %H:%M:%S.%f}"
        arguments = tuple(moment if str(argument).lower() == "now" else argument for argument in arguments)
    marks = ", ".join("?" * len(arguments))
    return _untouched().execute(f"SELECT strftime({marks})", arguments).fetchone()[0]


@cache
def _untouched() -> sqlite3.Connection:
    """Return a connection that still has SQLite's own functions."""
    return sqlite3.connect(":memory:", check_same_thread=False)
