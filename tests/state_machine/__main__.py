"""`python -m tests.state_machine`: the long run, on a test database of its own."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time

import django

STRIDE = 1_000_000  # between the seeds of two runs side by side


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=300_000)
    parser.add_argument("--seed", type=int, default=0, help="The first one; every batch of markets takes the next.")
    parser.add_argument("--no-shrink", action="store_true", help="Show a failure as it was found.")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    logging.disable(logging.WARNING)  # of money that came too late, as it is meant to here

    from django.test.utils import setup_databases, teardown_databases

    from tests.state_machine import run
    from tests.state_machine.rules_after_sale import MarketMachine

    start = time.monotonic()

    def details(done, seed):
        print(f"{done} steps, seed {seed}, {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)

    databases = setup_databases(verbosity=0, interactive=False)
    try:
        run.run(options.steps, options.seed, shrink=not options.no_shrink, details=details)
    finally:
        teardown_databases(databases, verbosity=0)
        print(f"{MarketMachine.steps.total()} steps in {time.monotonic() - start:.0f} s")
        for (what, outcome), times in sorted(MarketMachine.outcomes.items()):
            print(f"{times:8}  {what}: {outcome}")


if __name__ == "__main__":
    main()
