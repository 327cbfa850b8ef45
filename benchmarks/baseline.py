"""The baseline: the limit of the database itself, measured by pgbench without tuning.

Without a pgbench on the machine the same statements go through psycopg from threads. That is a lower limit, and the
report says so wherever it names it.
"""

from __future__ import annotations

import random
import re
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    from benchmarks.postgres import Server

BID = Path(__file__).parent / "sql" / "bid.sql"
ACCOUNTS = 100_000  # rows of pgbench_accounts per unit of scale


class Baseline:
    """The rates of pgbench on one database of the server."""

    def __init__(self, server: Server, database: str, *, clients: int, threads: int, scale: int) -> None:
        self.server, self.database, self.clients, self.threads, self.scale = server, database, clients, threads, scale
        self.program = server.pgbench()

    @property
    def name(self) -> str:
        """The name in the report."""
        return (
            f"pgbench -c {self.clients} -j {self.threads}"
            if self.program
            else "psycopg (NO PGBENCH INSTALLED: too low)"
        )

    def prepare(self) -> None:
        """Create the tables of pgbench."""
        if self.program:
            self._pgbench("-i", "-q", "-s", str(self.scale))
            return
        print("\n!!! There is no pgbench on this machine. The baseline is psycopg in threads, which is slower,")
        print("!!! so the ratios below are too high. Install PostgreSQL's client programs for real ones.\n")
        self.server.query(
            self.database,
            f"CREATE TABLE pgbench_accounts AS SELECT aid, 1 AS bid, 0 AS abalance, repeat(' ', 84) AS filler"
            f" FROM generate_series(1, {self.scale * ACCOUNTS}) aid",
        )
        self.server.query(self.database, "ALTER TABLE pgbench_accounts ADD PRIMARY KEY (aid)")
        self.server.query(self.database, "VACUUM ANALYZE pgbench_accounts")

    def select(self, seconds: float) -> float:
        """Return the primary-key selects per second."""
        if self.program:
            return self._rate(seconds, "-S")
        statement = "SELECT abalance FROM pgbench_accounts WHERE aid = :aid"
        return self._threads(seconds, statement, {"aid": (1, self.scale * ACCOUNTS)})

    def bids(self, seconds: float, *, products: tuple[int, int], bidders: tuple[int, int]) -> float:
        """Return the one-statement bids per second on the products of a range of IDs."""
        if not self.program:
            text = re.sub(r"^(--|\\).*$", "", BID.read_text(), flags=re.MULTILINE)
            return self._threads(seconds, text, {"product": products, "bidder": bidders})
        names = ("low", "high", "first_bidder", "last_bidder")
        defined = [f"-D{name}={value}" for name, value in zip(names, (*products, *bidders), strict=True)]
        return self._rate(seconds, "-f", str(BID), *defined)

    def _rate(self, seconds: float, *arguments: str) -> float:
        output = self._pgbench(
            "-n", f"-c{self.clients}", f"-j{self.threads}", f"-T{max(1, round(seconds))}", *arguments
        )
        failed = re.search(r"number of failed transactions: (\d+)", output)
        found = re.search(r"tps = ([0-9.]+) \(without initial connection time\)", output)
        if found is None or (failed and failed[1] != "0"):
            raise SystemExit(f"pgbench:\n{output}")
        return float(found[1])

    def _pgbench(self, *arguments: str) -> str:
        command = [str(self.program), *arguments, self.server.url(self.database)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"pgbench failed:\n{done.stderr[-2000:]}")
        return done.stdout

    def _threads(self, seconds: float, statement: str, ranges: dict[str, tuple[int, int]]) -> float:
        text = re.sub(r"(?<!:):([a-z_]+)", r"%(\1)s", statement)
        end = time.perf_counter() + seconds
        counts = [0] * self.clients

        def client(number: int) -> None:
            with psycopg.connect(self.server.url(self.database), autocommit=True) as connection:
                while time.perf_counter() < end:
                    values = {name: random.randint(*limits) for name, limits in ranges.items()}
                    connection.execute(text, values)
                    counts[number] += 1

        threads = [threading.Thread(target=client, args=(number,)) for number in range(self.clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(counts) / seconds
