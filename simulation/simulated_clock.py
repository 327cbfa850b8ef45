"""A clock that is set and moved by hand, for simulations and tests of days and weeks. Only for scratch databases.

Production code knows nothing of it: it replaces the clocks that SQL and Django read.

- PostgreSQL: functions of the same names, in a schema that the session searches before pg_catalog. PostgreSQL plans a
  prepared statement again under another search path, so prepared statements follow.
- SQLite: `django.utils.timezone.now`, which auctioncraft.core.clock reads, and `strftime` of the connection, which
  Django's Now() calls. CURRENT_TIMESTAMP cannot be replaced; the project does not use it.
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

# Prefixes of the databases of create_test_db, pytest-django and the project's tests.
SCRATCH: Final = ("test_", "test.", "auctioncraft_test_")

# As volatile as the originals; without the setting, in other sessions, they return what those return.
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
# A column's default was bound to pg_catalog's function when the table was created.
_DEFAULTS: Final = """
    SELECT format('ALTER TABLE %I.%I ALTER COLUMN %I SET DEFAULT simulated_clock.statement_timestamp()',
                  table_schema, table_name, column_name)
    FROM information_schema.columns WHERE column_default = 'statement_timestamp()'
"""


class NotScratchError(RuntimeError):
    """The database may hold real data."""


class SimulatedClock:
    """`with SimulatedClock(start) as clock: clock.move_to(later)`: every clock of the default connection, and Django's.

    For one thread: the connection of another keeps the time at which it connected. On PostgreSQL a rollback also sets
    the clock back, so move it outside transactions. No tables can be created meanwhile.
    """

    _running: ClassVar[SimulatedClock | None] = None

    def __init__(self, start: datetime) -> None:
        """Take an aware start time."""
        self.now = start.astimezone(UTC)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Set the clock to the start. Raises NotScratchError, and RuntimeError if another one runs."""
        if not is_scratch():
            raise NotScratchError(f"{connection.settings_dict['NAME']} is not a scratch database.")
        if SimulatedClock._running:
            raise RuntimeError("Another simulated clock is running.")
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
            self._apply()
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Restore the real clocks."""
        self._stack.close()

    def move_to(self, moment: datetime) -> None:
        """Move the clock forward. Raises ValueError for an earlier time."""
        if moment < self.now:
            raise ValueError(f"{moment} is before {self.now}")
        self.now = moment.astimezone(UTC)
        if connection.vendor == "postgresql":
            self._set_postgresql()

    def _read(self) -> datetime:
        return self.now

    def _on_connect(self, *, connection: Any, **_: Any) -> None:
        if connection.alias == "default":
            self._apply()

    def _apply(self) -> None:
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SHOW search_path")
                path = cursor.fetchone()[0]
                if not path.startswith("simulated_clock"):
                    cursor.execute(f"SET search_path = simulated_clock, pg_catalog, {path}")
            self._set_postgresql()
        else:
            connection.connection.create_function("strftime", -1, _strftime)

    def _set_postgresql(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('auctioncraft.now', %s, false)", [self.now.isoformat()])


def is_scratch() -> bool:
    """Return whether the default database was created for tests or simulations, by its name."""
    name = str(connection.settings_dict["NAME"])
    return "mode=memory" in name or name == ":memory:" or Path(name).name.startswith(SCRATCH)


def _install() -> None:
    """Create the functions. They stay: the database is a scratch one, and they do nothing without the setting."""
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
    """Replace SQLite's own, permanently (SQLite cannot restore it), with the simulated `now`."""
    clock = SimulatedClock._running  # noqa: SLF001 (its own module)
    if clock is not None:
        moment = f"{clock.now:%Y-%m-%d %H:%M:%S.%f}"
        arguments = tuple(moment if str(argument).lower() == "now" else argument for argument in arguments)
    marks = ", ".join("?" * len(arguments))
    return _original().execute(f"SELECT strftime({marks})", arguments).fetchone()[0]


@cache
def _original() -> sqlite3.Connection:
    """Return a connection with SQLite's own functions."""
    return sqlite3.connect(":memory:", check_same_thread=False)
