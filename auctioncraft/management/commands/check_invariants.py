"""`manage.py check_invariants`: what must always be true, checked on the live database."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from django.apps import apps
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, transaction
from rich.console import Console
from rich.progress import track

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SHOWN: Final = 20  # rows of a check


@dataclass(frozen=True, slots=True)
class _Finding:
    """What one check found, and how long it took, in seconds."""

    app: str
    check: str
    violations: list[str]
    seconds: float


class Command(BaseCommand):
    """Read-only, at one moment of the database; writers are not kept waiting."""

    help = "Check what must always be true, on the live database, read-only; exit 1 naming the rows that break it."
    requires_system_checks: list[str] = []  # noqa: RUF012 (Django's own declaration)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="All rows of all checks, as one JSON object.")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's signature)
        progress = Console(stderr=True)
        checks = _checks()
        with one_moment():
            findings = [
                _run(*check)
                for check in track(
                    checks, "checking", console=progress, transient=True, disable=not progress.is_terminal
                )
            ]
        self.stdout.write(_as_json(findings) if options["json"] else _as_lines(findings))
        broken = [finding for finding in findings if finding.violations]
        if broken:
            rows = sum(len(finding.violations) for finding in broken)
            raise CommandError(f"{rows} violations, of {len(broken)} of {len(findings)} invariants.")


def _checks() -> list[tuple[str, str, Callable[[], list[str]]]]:
    """Return every check of every app of this repository: (app, name, check). The kernel names no app."""
    return [
        (app.label, name, check)
        for app in apps.get_app_configs()
        if Path(app.path).parent == settings.BASE_DIR and find_spec(f"{app.name}.invariants")
        for name, check in import_module(f"{app.name}.invariants").CHECKS.items()
    ]


def _run(app: str, name: str, check: Callable[[], list[str]]) -> _Finding:
    start = time.monotonic()
    return _Finding(app, name, check(), time.monotonic() - start)


@contextmanager
def one_moment() -> Iterator[None]:
    """Read everything as it stands at one moment, unable to write; in a transaction that is open, as it is."""
    if connection.in_atomic_block:
        yield
    elif connection.vendor == "postgresql":
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                cursor.execute("SET LOCAL statement_timeout = 0")
                cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
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


def _as_lines(findings: list[_Finding]) -> str:
    lines = []
    for finding in findings:
        count = len(finding.violations)
        lines.append(f"{finding.app:14} {finding.check}: {f'{count} violations' if count else 'ok'}")
        lines += [f"    {violation}" for violation in finding.violations[:SHOWN]]
        if count > SHOWN:
            lines.append(f"    and {count - SHOWN} more")
    return "\n".join(lines)


def _as_json(findings: list[_Finding]) -> str:
    checks = [
        {
            "app": finding.app,
            "check": finding.check,
            "violations": finding.violations,
            "seconds": round(finding.seconds, 3),
        }
        for finding in findings
    ]
    return json.dumps({"ok": not any(finding.violations for finding in findings), "checks": checks}, indent=2)
