"""Writes the payout report."""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand

from payments.services import payout_report

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(BaseCommand):
    """Prints what sellers were due, got, and are due now, as CSV. It names their addresses."""

    help = "Print the payout report as CSV: all payouts, or those opened from --since and before --until (UTC)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add which payouts are wanted."""
        parser.add_argument("--since", type=_moment, metavar="2026-01-31", help="opened then or later")
        parser.add_argument("--until", type=_moment, metavar="2026-02-28", help="opened before then")
        parser.add_argument("--due", action="store_true", help="only what is still to be paid")

    def handle(self, *args: Any, since: datetime | None, until: datetime | None, due: bool, **options: Any) -> None:  # noqa: ARG002 (Django's signature)
        payouts = payout_report.select(since=since, until=until, due=due)
        self.stdout.ending = ""  # csv ends its lines itself
        payout_report.write(payouts=payouts, file=self.stdout)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError("A day is needed, like 2026-01-31.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
