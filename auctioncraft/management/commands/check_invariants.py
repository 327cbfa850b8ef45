"""`manage.py check_invariants`: what must always be true, checked on the live database."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, transaction
from rich.console import Console
from rich.progress import track

from auctioncraft.core.invariants import brought_by_apps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Check = tuple[str, str, Callable[[], list[str]]]

SHOWN: Final = 20  # rows of a check
AT_A_TIME: Final = 2  # checks: they are the database's work, a core each
# Ours alone, for as long as the command runs. Sorting a million bids takes more than a request may; compiling a query
# takes longer than these gain by it.
_SETTINGS: Final = {
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "work_mem": "64MB",
    "jit": "off",
    "cursor_tuple_fraction": "1",  # what is streamed is read to its end
}


@dataclass(frozen=True, slots=True)
class _Result:
    """What one check found, a line a row, and how long it took, in seconds."""

    app: str
    name: str
    findings: list[str]
    seconds: float


class Command(BaseCommand):
    """Read-only, at one moment of the database; writers are not kept waiting."""

    help = "Check what must always be true, on the live database, read-only; exit 1 naming the rows that break it."
    requires_system_checks: list[str] = []  # noqa: RUF012 (Django's own declaration)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="All rows of all checks, as one JSON object.")
        parser.add_argument(
            "--only",
            metavar="WHAT",
            nargs="+",
            default=[],
            help="These alone: numbers of docs/invariants.md or names of apps, like `--only 1 2 payments`.",
        )

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's signature)
        progress = Console(stderr=True)
        checks = [check for check in _checks() if _is_wanted(check, options["only"])]
        if not checks:
            raise CommandError(f"There is no check of {' '.join(options['only'])}.", returncode=2)
        start = time.monotonic()
        # In a transaction of somebody else's, what it has not committed is seen on its own connection alone.
        beside = connection.vendor == "postgresql" and not connection.in_atomic_block
        with one_moment(), _each(checks, beside=beside) as each:
            shown = track(
                each, "checking", len(checks), console=progress, transient=True, disable=not progress.is_terminal
            )
            results = list(shown)
        seconds = time.monotonic() - start
        self.stdout.write(_as_json(results, seconds) if options["json"] else _as_lines(results))
        broken = [result for result in results if result.findings]
        if broken:
            rows = sum(len(result.findings) for result in broken)
            raise CommandError(f"{rows} violations, of {len(broken)} of {len(results)} invariants.")


def _checks() -> list[Check]:
    """Return every check of every app of this repository: (app, name, check)."""
    return [
        (app, name, check) for app, checks in brought_by_apps("invariants", "CHECKS") for name, check in checks.items()
    ]


def _is_wanted(check: Check, only: list[str]) -> bool:
    app, name, _ = check
    # A name begins with the numbers of its invariants: "4, 7 ends moved …".
    numbers = {word.rstrip(",") for word in takewhile(lambda word: word.rstrip(",").isdigit(), name.split())}
    return not only or not {app, *numbers}.isdisjoint(only)


def _run(app: str, name: str, check: Callable[[], list[str]]) -> _Result:
    start = time.monotonic()
    try:
        # Around each a savepoint: one that fails leaves the others their transaction.
        with transaction.atomic() if connection.in_atomic_block else nullcontext():
            findings = check()
    except Exception as error:  # noqa: BLE001 (data can be broken so that a check cannot read it: that is a finding)
        findings = [f"cannot be checked: {type(error).__name__}: {error}".strip()]
    return _Result(app, name, findings, time.monotonic() - start)


@contextmanager
def _each(checks: list[Check], *, beside: bool) -> Iterator[Iterator[_Result]]:
    """Give the results in order; `beside`: two checks run at a time, on connections that see this moment."""
    if not beside:
        yield (_run(*check) for check in checks)
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_export_snapshot()")
        snapshot = cursor.fetchone()[0]
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        yield pool.map(partial(_run_beside, snapshot), checks)


def _run_beside(snapshot: str, check: Check) -> _Result:
    try:
        with one_moment(snapshot):
            return _run(*check)
    finally:
        connection.close()


@contextmanager
def one_moment(snapshot: str | None = None) -> Iterator[None]:
    """Read everything as it stands at one moment, unable to write; in a transaction that is open, as it is.

    With a `snapshot` that another transaction of PostgreSQL has exported, at that one's moment.
    """
    if connection.in_atomic_block:
        yield
    elif connection.vendor == "postgresql":
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                if snapshot:
                    cursor.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
                for name, value in _SETTINGS.items():
                    cursor.execute(f"SET LOCAL {name} = '{value}'")
            yield
    else:
        # Not atomic(): that would be BEGIN IMMEDIATE, and every bid would wait.
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA query_only = on")
            cursor.execute("BEGIN DEFERRED")
            try:
                yield
            finally:
                cursor.execute("ROLLBACK")
                cursor.execute("PRAGMA query_only = off")


def _as_lines(results: list[_Result]) -> str:
    lines = []
    for result in results:
        count = len(result.findings)
        lines.append(f"{result.app:14} {result.name}: {f'{count} violations' if count else 'ok'}")
        lines += [f"    {finding}" for finding in result.findings[:SHOWN]]
        if count > SHOWN:
            lines.append(f"    and {count - SHOWN} more")
    return "\n".join(lines)


def _as_json(results: list[_Result], seconds: float) -> str:
    checks = [
        {
            "name": result.name,
            "app": result.app,
            "ok": not result.findings,
            "seconds": round(result.seconds, 3),
            "findings": result.findings,
        }
        for result in results
    ]
    whole = {"ok": all(check["ok"] for check in checks), "seconds": round(seconds, 3), "checks": checks}
    return json.dumps(whole, indent=2)
