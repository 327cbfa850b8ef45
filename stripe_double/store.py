"""The double's store: one SQLite file, so that a restart of `make run` keeps intents.

One writer at a time: every call comes from the server's event loop, and a request writes in one transaction.
"""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

JSON = dict[str, Any]

SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, created INTEGER NOT NULL,
    body TEXT NOT NULL, private TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS objects_by_kind ON objects (kind, seq);
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, path TEXT NOT NULL, fingerprint TEXT NOT NULL, request TEXT NOT NULL,
    created REAL NOT NULL, status INTEGER, body TEXT);
CREATE TABLE IF NOT EXISTS deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
    due REAL NOT NULL, state TEXT NOT NULL DEFAULT 'pending');
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (due, id) WHERE state = 'pending';
CREATE INDEX IF NOT EXISTS deliveries_by_event ON deliveries (event, state);
"""
FIND = """
SELECT body FROM objects WHERE kind = :kind
AND (:after IS NULL OR seq < (SELECT seq FROM objects WHERE id = :after))
AND (:before IS NULL OR seq > (SELECT seq FROM objects WHERE id = :before))
AND created > :gt AND created < :lt
AND (:delivered IS NULL OR :delivered = (
    NOT EXISTS (SELECT 1 FROM deliveries WHERE event = objects.id)
    OR EXISTS (SELECT 1 FROM deliveries WHERE event = objects.id AND state = 'delivered')))
AND NOT EXISTS (SELECT 1 FROM json_each(:equal) w WHERE NOT EXISTS (
    SELECT 1 FROM json_each(w.value) v WHERE v.value = json_extract(body, '$.' || w.key)))
"""
NEWEST = FIND + " ORDER BY seq DESC LIMIT :limit"
OLDEST = FIND + " ORDER BY seq LIMIT :limit"


PENDING = (
    "SELECT d.id, o.body, d.attempts, d.due FROM deliveries d JOIN objects o ON o.id = d.event"
    " WHERE d.state = 'pending'"
)


@dataclass(frozen=True)
class Query:
    """A page of a list: `equal` maps a field to the values it may have; `after` and `before` are ids.

    `delivered` is for events: whether it was delivered, or there was no webhook.
    """

    kind: str
    limit: int = 10
    after: str | None = None
    before: str | None = None
    newer_than: int = -1
    older_than: int = 2**62
    equal: dict[str, list[str]] = field(default_factory=dict)
    delivered: bool | None = None


@dataclass(frozen=True)
class Delivery:
    """An event on its way to the webhook."""

    id: int
    event: JSON
    attempts: int
    due: float


class Store:
    """Objects, saved answers and pending deliveries."""

    def __init__(self, path: str) -> None:
        """Open or create the file; responses that were being written when the process died are dropped."""
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(SCHEMA)
        self._db.execute("DELETE FROM answers WHERE status IS NULL")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def clear(self) -> None:
        """Delete all objects, saved answers and deliveries."""
        with self.transaction():
            for table in ("objects", "answers", "deliveries"):
                self._db.execute(f"DELETE FROM {table}")  # noqa: S608 (the three names above)  # nosec B608

    def execute(self, sql: str, *values: object) -> sqlite3.Cursor:
        """Run one statement of another module's table."""
        return self._db.execute(sql, values)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit all that is written inside, or none of it."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def savepoint(self) -> None:
        """Set a savepoint for `undo`."""
        self._db.execute("SAVEPOINT request")

    def undo(self) -> None:
        """Roll back to `savepoint`."""
        self._db.execute("ROLLBACK TO request")

    def add(self, obj: JSON, private: JSON | None = None) -> None:
        """Store a new object; `private` is what Stripe never shows."""
        self._db.execute(
            "INSERT INTO objects (id, kind, created, body, private) VALUES (?, ?, ?, ?, ?)",
            (obj["id"], obj["object"], obj["created"], json.dumps(obj), json.dumps(private or {})),
        )

    def save(self, obj: JSON, private: JSON | None = None) -> None:
        """Replace an object; without `private` that part is unchanged."""
        self._db.execute(
            "UPDATE objects SET body = ?, private = coalesce(?, private) WHERE id = ?",
            (json.dumps(obj), None if private is None else json.dumps(private), obj["id"]),
        )

    def get(self, kind: str, object_id: str) -> JSON | None:
        """Return an object, or None when it is unknown or of another kind."""
        row = self._db.execute("SELECT body FROM objects WHERE id = ? AND kind = ?", (object_id, kind)).fetchone()
        return _object(row[0]) if row else None

    def any(self, object_id: str) -> JSON | None:
        """Return an object of any kind, or None."""
        row = self._db.execute("SELECT body FROM objects WHERE id = ?", (object_id,)).fetchone()
        return _object(row[0]) if row else None

    def event_types(self, pattern: str) -> list[str]:
        """Return the types of stored events that match a pattern such as `charge.*`."""
        rows = self._db.execute("SELECT DISTINCT json_extract(body, '$.type') FROM objects WHERE kind = 'event'")
        return [row[0] for row in rows if fnmatchcase(row[0], pattern)]

    def private(self, object_id: str) -> JSON:
        """Return the private part of an object."""
        row = self._db.execute("SELECT private FROM objects WHERE id = ?", (object_id,)).fetchone()
        return _object(row[0]) if row else {}

    def find(self, query: Query) -> list[JSON]:
        """Return a page, newest first."""
        values = {
            "kind": query.kind,
            "after": query.after,
            "before": query.before,
            "gt": query.newer_than,
            "lt": query.older_than,
            "equal": json.dumps(query.equal),
            "delivered": query.delivered,
            "limit": query.limit,
        }
        rows = self._db.execute(OLDEST if query.before else NEWEST, values).fetchall()
        found = [_object(row[0]) for row in rows]
        return found[::-1] if query.before else found

    def queue(self, event_id: str) -> None:
        """Queue the delivery of an event."""
        self._db.execute("INSERT INTO deliveries (event, due) VALUES (?, ?)", (event_id, time.time()))

    def next_delivery(self) -> Delivery | None:
        """Return the pending delivery with the earliest due time."""
        row = self._db.execute(PENDING + " ORDER BY d.due, d.id LIMIT 1").fetchone()
        return Delivery(row[0], _object(row[1]), row[2], row[3]) if row else None

    def due_deliveries(self, now: float) -> list[Delivery]:
        """Return the due deliveries, earliest first."""
        rows = self._db.execute(PENDING + " AND d.due <= ? ORDER BY d.due, d.id", (now,)).fetchall()
        return [Delivery(row[0], _object(row[1]), row[2], row[3]) for row in rows]

    def record_attempt(self, delivery: Delivery, state: str, due: float) -> None:
        """Record the result of a delivery: `delivered`, `pending` until `due`, `failed` for good, or `dropped`."""
        self._db.execute(
            "UPDATE deliveries SET attempts = attempts + 1, state = ?, due = ? WHERE id = ?",
            (state, due, delivery.id),
        )

    def pending_deliveries(self, event_id: str) -> int:
        """Return how many deliveries of an event are pending."""
        sql = "SELECT count(*) FROM deliveries WHERE event = ? AND state = 'pending'"
        return int(self._db.execute(sql, (event_id,)).fetchone()[0])

    def deliveries(self) -> dict[str, int]:
        """Return how many deliveries are in each state."""
        return dict(self._db.execute("SELECT state, count(*) FROM deliveries GROUP BY state").fetchall())


def _object(text: str) -> JSON:
    loaded: JSON = json.loads(text)
    return loaded
