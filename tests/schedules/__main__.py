"""`python -m tests.schedules`: the long run, on a test database of its own."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time

import django


def main() -> None:
    """Run; fail with what does not add up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0, help="The first one; each schedule takes the next.")
    parser.add_argument("--batch", type=int, default=100, help="How many share a database and a double.")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    logging.disable(logging.ERROR)  # of a Stripe that fails, as it is meant to here

    from django.test.utils import setup_databases, teardown_databases

    from tests.schedules.run import run

    start = time.monotonic()

    def progress(done: int) -> None:
        print(f"{done} schedules, {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)

    databases = setup_databases(verbosity=0, interactive=False)
    try:
        counts = run(options.schedules, options.seed, batch=options.batch, progress=progress)
    finally:
        teardown_databases(databases, verbosity=0)
    print(f"{options.schedules} schedules in {time.monotonic() - start:.0f} s: no difference")
    for what, times in sorted(counts.items()):
        print(f"{times:8}  {what}")


if __name__ == "__main__":
    main()
