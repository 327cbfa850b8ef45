"""The benchmark: `python -m benchmarks`. What it measures and how to read it: README.md."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import postgres, report, server
from benchmarks.baseline import Yardstick
from benchmarks.postgres import DATABASES
from benchmarks.report import Row

if TYPE_CHECKING:
    from collections.abc import Callable

OURS, LIMIT = DATABASES
ON_ONE = "bids, 1 product"


def main() -> None:
    """Run it all; whatever was started is stopped however this ends."""
    options = _options()
    # Docker and CI stop with SIGTERM: leave through the same clean-up as by Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with ExitStack() as stack:
            text, good = _run(options, stack)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    print(text)
    if options.results:
        path = report.save(text, Path(options.results))
        print(f"\nWritten to {path.name}")
    if not good:
        raise SystemExit(1)


def _options() -> argparse.Namespace:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--database-url", help="an existing server (a superuser's); else a throw-away one is started")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8, help="of each measurement")
    parser.add_argument("--warmup", type=float, default=1, help="seconds of load before each measurement of ours")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--products", type=int, default=10_000)
    parser.add_argument("--bidders", type=int, default=500)
    parser.add_argument("--workers", type=int, default=cores, help="granian's processes")
    parser.add_argument("--threads", type=int, default=2, help="blocking threads of each")
    parser.add_argument("--only", help="rows whose name contains this, and the yardsticks that they need")
    parser.add_argument("--quick", action="store_true", help="one round of one second each: that it runs, no figures")
    default = Path(__file__).parent / "results"
    parser.add_argument("--results", default=str(default), help="folder for the report; empty for none")
    options = parser.parse_args()
    options.cores = cores
    if options.quick:
        options.rounds, options.seconds, options.warmup, options.results = 1, 1, 0.2, ""
    return options


def _run(options: argparse.Namespace, stack: ExitStack) -> tuple[str, bool]:
    var = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="auctioncraft-bench-var-")))
    load_before = os.getloadavg()[0]
    _say("starting PostgreSQL")
    database = stack.enter_context(postgres.running(options.database_url))
    database.create(OURS)
    env = server.environment(database.url(OURS), var)
    _say(f"migrating, and filling it with {options.products:,} products and {options.bidders} bidders")
    plan = server.prepare(env, products=options.products, bidders=options.bidders)
    database.query(OURS, "VACUUM ANALYZE")
    # The same tables with the same rows for the hand-written bid, which knows no rules: ours stay true.
    database.create(LIMIT, template=OURS)
    yardstick = Yardstick(database, LIMIT, clients=options.connections, threads=options.cores, scale=10)
    yardstick.prepare()
    _say(f"starting granian: {options.workers} workers of {options.threads} threads")
    port = stack.enter_context(
        server.serving(env, workers=options.workers, threads=options.threads, log=var / "granian.log")
    )
    bench = Bench(options, plan, port, yardstick)
    rows = bench.measure()
    checks = [bench.check_counts(database), _check_invariants(env)]
    text = report.write(
        options, rows, checks, ceiling=bench.ceiling(), database=database.version(), load_before=load_before
    )
    return text, all(good for good, _ in checks)


class Bench:
    """The measurements, in rounds in which the yardstick and ours take turns."""

    def __init__(self, options: argparse.Namespace, plan: dict[str, Any], port: int, yardstick: Yardstick) -> None:
        self.options, self.plan, self.port, self.yardstick = options, plan, port, yardstick
        self.floor = 20_000
        self.accepted = 0

    def measure(self) -> list[Row]:
        """Return the rows of the table, each with a figure per round."""
        plan, yardstick = self.plan, self.yardstick
        ids, bidders = plan["products"], (min(plan["bidders"]), max(plan["bidders"]))
        hot, one, quiet = ids[:1000], ids[1000], ids[1001:]
        bid_limit = Row(
            "one-statement bid, 1,000 products",
            lambda s: _rate(yardstick.bids(s, products=(hot[0], hot[-1]), bidders=bidders)),
            yardstick=yardstick.name,
        )
        one_limit = Row(
            "one-statement bid, 1 product",
            lambda s: _rate(yardstick.bids(s, products=(one, one), bidders=bidders)),
            yardstick=yardstick.name,
        )
        select = Row("primary-key select", lambda s: _rate(yardstick.select(s)), yardstick=yardstick.name)
        rows = [
            bid_limit,
            Row("bids, 1,000 products", lambda s: self._bids(s, hot), against=bid_limit, aim=0.10),
            one_limit,
            Row(ON_ONE, lambda s: self._bids(s, [one]), against=bid_limit),
            select,
            Row("product detail, no bids", self._reads([f"/api/products/{i}/" for i in quiet]), select, 0.08),
            Row(
                "product detail, 10 bids",
                self._reads([f"/api/products/{i}/" for i in plan["with_history"]]),
                select,
                0.08,
            ),
            Row("product list, page 1", self._reads(["/api/products/"]), select, 0.04),
        ]
        if self.options.only:
            wanted = [row for row in rows if self.options.only in row.name]
            rows = [row for row in rows if row in wanted or any(row is each.against for each in wanted)]
        for number in range(self.options.rounds):
            for row in rows:
                row.results.append(row.measure(self.options.seconds))
                latest = row.results[-1]
                _say(f"round {number + 1}: {row.name}: {latest['per_second']:,.0f}/s")
        return rows

    def _reads(self, paths: list[str]) -> Callable[[float], dict[str, Any]]:
        return lambda seconds: self._load(seconds, self.port, kind="reads", status=200, paths=paths)

    def _bids(self, seconds: float, products: list[int]) -> dict[str, Any]:
        # Each round goes on where the last one stopped: every bid is above all before it.
        result = self._load(
            seconds,
            self.port,
            kind="bids",
            status=201,
            products=products,
            tokens=self.plan["tokens"],
            floor=self.floor,
            field="amount",
        )
        self.floor, self.accepted = result["floor"], self.accepted + result["good"]
        return result

    def ceiling(self) -> dict[str, Any]:
        """Return what the load itself can do, against a server that does nothing."""
        command = [sys.executable, "-m", "benchmarks.noop_server"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
            try:
                assert process.stdout
                port = int(process.stdout.readline())
                return self._load(min(self.options.seconds, 3), port, kind="reads", status=200, paths=["/"])
            finally:
                process.kill()

    def _load(self, seconds: float, port: int, **job: Any) -> dict[str, Any]:
        """Load from a process of its own."""
        job |= {"port": port, "seconds": seconds, "warmup": self.options.warmup}
        job["connections"] = self.options.connections
        command = [sys.executable, "-m", "benchmarks.load"]
        done = subprocess.run(command, input=json.dumps(job), capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"the load failed:\n{done.stderr[-2000:]}")
        result: dict[str, Any] = json.loads(done.stdout)
        return result

    def check_counts(self, database: postgres.Server) -> tuple[bool, str]:
        """Compare the bids that were answered 201 with those stored, and the history with the products' counts."""
        stored, public = database.query(
            OURS, "SELECT count(*), count(seq) FROM auctions_bid WHERE outcome <> 'automatic'"
        )[0]
        counted = database.query(OURS, "SELECT sum(bid_count)::bigint FROM auctions_auction")[0][0]
        expected = self.plan["bids"] + self.accepted
        text = f"Bids answered 201: {expected:,}, stored: {stored:,}; of these public: {public:,}, counted: {counted:,}"
        return expected == stored and public == counted, text


def _rate(per_second: float) -> dict[str, Any]:
    return {"per_second": per_second}


def _check_invariants(env: dict[str, str]) -> tuple[bool, str]:
    done = server.manage(env, "check_invariants")
    if "Unknown command" in done.stderr:
        return True, "check_invariants: not there yet"
    lines = (done.stdout.strip() or done.stderr.strip() or "nothing said").splitlines()
    return done.returncode == 0, f"check_invariants: {lines[-1]}"


_STARTED = time.monotonic()


def _say(text: str) -> None:
    print(f"[{time.monotonic() - _STARTED:5.0f} s] {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
