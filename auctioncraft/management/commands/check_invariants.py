"""`manage.py check_invariants`: check what must always be true, on the live database."""

from __future__ import annotations

import json
import re
import time
from argparse import ArgumentTypeError
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from rich.console import Console

from auctioncraft.core.invariants import all_invariants, run

if TYPE_CHECKING:
    from auctioncraft.core.invariants import Batch, Result

MAX_SHOWN: Final = 20  # rows of a check, without --json
_UNITS: Final = {"h": "hours", "d": "days"}


class Command(BaseCommand):
    """Read-only, in short transactions; safe at any time."""

    help = "Check the invariants on the live database, read-only; exit with 1 and name the rows that violate one."
    requires_system_checks: list[str] = []  # noqa: RUF012 (Django's own declaration)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="Print all rows of all checks as one JSON object.")
        parser.add_argument(
            "--only",
            metavar="WHAT",
            nargs="+",
            default=[],
            help="Check these alone: numbers of docs/invariants.md or names of apps, like `--only 1 2 payments`.",
        )
        parser.add_argument(
            "--since",
            metavar="TIME",
            type=_parse_since,
            help="Check only rows that changed since then: `24h`, `7d`, or a time in ISO 8601 (UTC by default).",
        )

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's signature)
        invariants = all_invariants(*options["only"])
        if not invariants:
            raise CommandError(f"There is no invariant {' '.join(options['only'])}.", returncode=2)
        start = time.monotonic()
        console = Console(stderr=True)
        if console.is_terminal:
            with console.status("") as status:
                results = run(
                    invariants, since=options["since"], progress=lambda batch: status.update(_describe(batch))
                )
        else:
            results = run(invariants, since=options["since"])
        seconds = time.monotonic() - start
        self.stdout.write(_as_json(results, seconds) if options["json"] else _as_lines(results))
        violated = [result for result in results if result.findings]
        if violated:
            rows = sum(len(result.findings) for result in violated)
            raise CommandError(f"{rows} violations of {len(violated)} of {len(results)} invariants.")


def _parse_since(text: str) -> datetime:
    """Return the time that `24h`, `7d` or ISO 8601 means."""
    if found := re.fullmatch(r"([0-9]{1,6})([hd])", text):
        return timezone.now() - timedelta(**{_UNITS[found[2]]: int(found[1])})
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a time: use 24h, 7d or ISO 8601.") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _describe(batch: Batch) -> str:
    return f"checking {batch.model._meta.verbose_name_plural}, from {batch.first} to {batch.last}"  # noqa: SLF001 (documented)


def _as_lines(results: list[Result]) -> str:
    lines = []
    for result in results:
        count = len(result.findings)
        verdict = f"{count} violations" if count else "ok"
        lines.append(f"{result.invariant.app:14} {result.invariant.name}: {verdict}")
        lines += [f"    {finding}" for finding in result.findings[:MAX_SHOWN]]
        if count > MAX_SHOWN:
            lines.append(f"    and {count - MAX_SHOWN} more")
    return "\n".join(lines)


def _as_json(results: list[Result], seconds: float) -> str:
    checks = [
        {
            "name": result.invariant.name,
            "app": result.invariant.app,
            "ok": not result.findings,
            "seconds": round(result.seconds, 3),
            "findings": result.findings,
        }
        for result in results
    ]
    whole = {"ok": all(check["ok"] for check in checks), "seconds": round(seconds, 3), "checks": checks}
    return json.dumps(whole, indent=2)
