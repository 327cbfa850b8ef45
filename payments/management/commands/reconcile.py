"""`manage.py reconcile`."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from auctioncraft.core import clock
from auctioncraft.core.errors import DomainError
from payments.services.reconciliation import reconcile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from payments.models import Reconciliation

_UNITS = {"d": "days", "h": "hours", "m": "minutes"}


class Command(BaseCommand):
    """Reconcile with Stripe, like the hourly job. Exit code 1: differences found; 2: failed."""

    help = "Compare our payments with Stripe's, fix what can be fixed, and report the rest. Exit code 1 if they differ."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--since",
            metavar="AGE",
            help="Look back at least this far: 7d, 12h, 30m. Default: an hour before the last one started.",
        )
        parser.add_argument("--json", action="store_true", help="Print everything as one JSON object.")
        parser.add_argument("--dry-run", action="store_true", help="Fix nothing and store no record.")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's signature)
        since = clock.now() - _parse_age(options["since"]) if options["since"] else None
        try:
            found = reconcile(since=since, fix=not options["dry_run"])
        except DomainError as error:
            raise CommandError(f"{error.code}: {error.detail}", returncode=2) from None
        self.stdout.write(_to_json(found) if options["json"] else "\n".join(_lines(found)))
        if found.difference_count:
            raise CommandError(f"{found.difference_count} differences.")


def _parse_age(text: str) -> timedelta:
    found = re.fullmatch(r"(\d{1,5})([dhm])", text, re.ASCII)
    if found is None:
        raise CommandError("--since needs a number and d, h or m, such as 7d.", returncode=2)
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _to_json(found: Reconciliation) -> str:
    fields = ("since", "started_at", "finished_at", "counts", "sums", "differences")
    return json.dumps(
        {name: getattr(found, name) for name in fields}, default=lambda moment: moment.isoformat(), indent=2
    )


def _lines(found: Reconciliation) -> Iterator[str]:
    yield f"since {found.since:%Y-%m-%d %H:%M} UTC"
    for name, number in sorted(found.counts.items()):
        yield f"  {name}: {number}"
    for currency, categories in found.sums.items():
        for category, sums in categories.items():
            yield f"  {currency} {category}: ours {sums['ours']}, Stripe's {sums['stripe']}"
    for difference in found.differences:
        yield f"! {difference['text']} ({', '.join(difference['ids']) or 'ours'})"
