"""`manage.py simulate`: run a simulated marketplace in a scratch database."""

from __future__ import annotations

import time
from io import StringIO
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console

from simulation.runner import Plan, simulate
from simulation.scheduler import SimulationFailed
from simulation.scratch_database import scratch_database


class Command(BaseCommand):
    """The same seed repeats the run: the digest is the same."""

    help = (
        "Simulate a marketplace on a simulated clock, in a scratch database on the configured engine, and check the "
        "invariants as it goes; exit with 1 and print the command that replays a failure."
    )
    requires_system_checks: list[str] = []  # noqa: RUF012 (Django's own declaration)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--auctions", type=int, default=1000, help="The number of auctions to list (default 1000).")
        parser.add_argument("--seed", type=int, default=1, help="The seed of all randomness (default 1).")
        parser.add_argument(
            "--check-every",
            type=int,
            metavar="K",
            help="Check all invariants after each K listings (default: ten times).",
        )
        parser.add_argument("--keep", action="store_true", help="Keep the database and print its name.")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's signature)
        auctions = options["auctions"]
        if auctions < 1:
            raise CommandError("At least one auction.")
        plan = Plan(auctions, options["seed"], options["check_every"] or max(25, auctions // 10))
        with scratch_database(keep=options["keep"]) as name:
            if options["keep"]:
                self.stdout.write(f"database {name}")
            start = time.monotonic()
            try:
                found = simulate(plan, progress=self.stdout.write)
            except SimulationFailed as failure:
                raise CommandError(
                    f"seed {plan.seed}, {failure}\nreplay: python manage.py simulate --auctions {plan.auctions} "
                    f"--seed {plan.seed} --check-every {plan.check_every}"
                ) from failure
            seconds = time.monotonic() - start
        table = StringIO()
        Console(file=table, width=80).print(found.table())
        self.stdout.write(table.getvalue())
        self.stdout.write(f"{found.steps} steps in {seconds:.1f} s; digest {found.digest}")
