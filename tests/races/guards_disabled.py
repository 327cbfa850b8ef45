"""Disables locks, conditions or the database's clock in SQL statements, for the negative controls of the races.

The header X-Disable names any of `lock`, `version`, `status` and `clock`. X-Stop is a port and a pattern: the request
stops before the first statement that matches, until the listener on that port lets it go on.
"""

from __future__ import annotations

import re
import socket
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.db import connection

from auctions.services.bid_store import store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RELEASE_TIMEOUT = 20  # seconds

_ROW_LOCK = re.compile(r" FOR (NO KEY )?UPDATE\b.*")
# The conditions of the write of a bid in each database's SQL, and their replacements.
_GUARDS = {
    "postgresql": {
        "version": ("a.version = %(version)s", "TRUE"),
        "status": ("a.status = 'open'", "TRUE"),
        "bidder": (
            "EXISTS (SELECT FROM accounts_user u WHERE u.id = %(bidder)s AND u.is_active FOR KEY SHARE)",
            "TRUE",
        ),
        "bidder_lock": (" FOR KEY SHARE", ""),
    },
    "sqlite": {
        "version": ('"auctions_auction"."version" = %s', "%s IS NOT NULL"),
        "status": ('"auctions_auction"."status" = %s', "%s IS NOT NULL"),
        "bidder": (
            'EXISTS(SELECT %s AS "a" FROM "accounts_user" U0 WHERE (U0."is_active" AND U0."id" = %s) LIMIT 1)',
            "(%s IS NOT NULL AND %s IS NOT NULL)",
        ),
    },
}
_DATABASE_CLOCK = re.compile(r"clock_timestamp\(\)", re.IGNORECASE)


@dataclass
class Alteration:
    """Rewrites every statement of a request (Django's database instrumentation)."""

    without: frozenset[str]
    stop_before: re.Pattern[str] | None
    gate: int

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001 (Django's)
        if self.stop_before and self.stop_before.match(sql.lstrip()):
            self.stop_before = None
            with socket.create_connection(("127.0.0.1", self.gate), timeout=RELEASE_TIMEOUT) as gate:
                gate.recv(1)
        return execute(self._alter(sql), params, many, context)

    def _alter(self, sql: str) -> str:
        if "lock" in self.without:
            # On SQLite the transaction is the lock; without it each statement is on its own.
            sql = "SELECT 1" if sql.startswith("BEGIN") else _ROW_LOCK.sub("", sql)
        if sql.lstrip().startswith(("WITH moved", "UPDATE")):
            for guard in self.without & _GUARDS[connection.vendor].keys():
                sql = sql.replace(*_GUARDS[connection.vendor][guard])
        if "clock" in self.without:
            sql = _DATABASE_CLOCK.sub(f"TIMESTAMPTZ '{datetime.now(UTC).isoformat()}'", sql)
        return sql


@contextmanager
def guards_disabled(headers: dict[str, str]) -> Iterator[None]:
    """Rewrite the statements of this thread as the headers X-Disable and X-Stop say."""
    gate, _, before = headers.get("X-Stop", "0").partition(" ")
    without = frozenset(headers.get("X-Disable", "").split())
    with connection.execute_wrapper(Alteration(without, re.compile(before) if before else None, int(gate))):
        yield


def disable_in_bids(monkeypatch, guard: str) -> None:
    """Write bids without one of the conditions, in all threads of this process."""
    write_bid = store().write_bid

    def write_unguarded(write: Any) -> bool:
        with guards_disabled({"X-Disable": guard}):
            return write_bid(write)

    monkeypatch.setattr(store(), "write_bid", write_unguarded)
