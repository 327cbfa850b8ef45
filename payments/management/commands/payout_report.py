"""`manage.py payout_report`."""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand

from payments.services import payout_report

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(BaseCommand):
    """Print payouts as CSV, with the sellers' email addresses."""

    help = "Print payouts as CSV: all of them, or those created from --since and before --until (UTC)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument("--since", type=_parse_date, metavar="2026-01-31", help="created at or after this date")
        parser.add_argument("--until", type=_parse_date, metavar="2026-02-28", help="created before this date")
        parser.add_argument("--due", action="store_true", help="only payouts that are due")

    def handle(self, *args: Any, since: datetime | None, until: datetime | None, due: bool, **options: Any) -> None:  # noqa: ARG002 (Django's signature)
        payouts = payout_report.select(since=since, until=until, due=due)
        self.stdout.ending = ""  # csv writes its own line endings
        payout_report.write(payouts=payouts, file=self.stdout)


def _parse_date(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError("Enter a date, such as 2026-01-31.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
