"""The benchmark: `python -m benchmarks`. README.md says what it measures and how to read it."""

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
from benchmarks.baseline import Baseline
from benchmarks.postgres import DATABASES
from benchmarks.report import Row

if TYPE_CHECKING:
    from collections.abc import Callable

SERVER_DB, BASELINE_DB = DATABASES
ONE_PRODUCT = "bids, 1 product"


def main() -> None:
    """Run the benchmark, and stop everything that it started."""
    options = _options()
    # Docker and CI send SIGTERM: clean up as for Ctrl-C.
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
    parser.add_argument(
        "--database-url", help="an existing server (as a superuser); by default a temporary one is started"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8, help="of each measurement")
    parser.add_argument("--warmup", type=float, default=1, help="seconds of load before each measurement of the server")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--products", type=int, default=10_000)
    parser.add_argument("--bidders", type=int, default=500)
    parser.add_argument("--workers", type=int, default=cores, help="granian's processes")
    parser.add_argument("--threads", type=int, default=2, help="blocking threads of each")
    parser.add_argument("--only", help="rows whose name contains this, and the baselines that they need")
    parser.add_argument("--quick", action="store_true", help="one round of one second each, to see that it runs")
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
    _log("starting PostgreSQL")
    database = stack.enter_context(postgres.running(options.database_url))
    database.create(SERVER_DB)
    env = server.environment(database.url(SERVER_DB), var)
    _log(f"migrating, and creating {options.products:,} products and {options.bidders} bidders")
    plan = server.prepare(env, products=options.products, bidders=options.bidders)
    database.query(SERVER_DB, "VACUUM ANALYZE")
    # A copy for the hand-written bid, which follows no rules: the invariants of the original must hold.
    database.create(BASELINE_DB, template=SERVER_DB)
    baseline = Baseline(database, BASELINE_DB, clients=options.connections, threads=options.cores, scale=10)
    baseline.prepare()
    _log(f"starting granian: {options.workers} workers of {options.threads} threads")
    port = stack.enter_context(
        server.serving(env, workers=options.workers, threads=options.threads, log=var / "granian.log")
    )
    bench = Bench(options, plan, port, baseline)
    rows = bench.measure()
    checks = [bench.check_counts(database), _check_invariants(env)]
    text = report.write(
        options, rows, checks, ceiling=bench.ceiling(), database=database.version(), load_before=load_before
    )
    return text, all(good for good, _ in checks)


class Bench:
    """The measurements, in rounds that alternate between baseline and server."""

    def __init__(self, options: argparse.Namespace, plan: dict[str, Any], port: int, baseline: Baseline) -> None:
        self.options, self.plan, self.port, self.baseline = options, plan, port, baseline
        self.floor = 20_000
        self.accepted = 0

    def measure(self) -> list[Row]:
        """Return the rows of the table, each with a figure per round."""
        plan, baseline = self.plan, self.baseline
        ids, bidders = plan["products"], (min(plan["bidders"]), max(plan["bidders"]))
        hot, one, quiet = ids[:1000], ids[1000], ids[1001:]
        bid_limit = Row(
            "one-statement bid, 1,000 products",
            lambda s: _rate(baseline.bids(s, products=(hot[0], hot[-1]), bidders=bidders)),
            baseline=baseline.name,
        )
        one_limit = Row(
            "one-statement bid, 1 product",
            lambda s: _rate(baseline.bids(s, products=(one, one), bidders=bidders)),
            baseline=baseline.name,
        )
        select = Row("primary-key select", lambda s: _rate(baseline.select(s)), baseline=baseline.name)
        rows = [
            bid_limit,
            Row("bids, 1,000 products", lambda s: self._bids(s, hot), compared_to=bid_limit, target=0.10),
            one_limit,
            Row(ONE_PRODUCT, lambda s: self._bids(s, [one]), compared_to=bid_limit),
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
            rows = [row for row in rows if row in wanted or any(row is each.compared_to for each in wanted)]
        for number in range(self.options.rounds):
            for row in rows:
                row.results.append(row.measure(self.options.seconds))
                latest = row.results[-1]
                _log(f"round {number + 1}: {row.name}: {latest['per_second']:,.0f}/s")
        return rows

    def _reads(self, paths: list[str]) -> Callable[[float], dict[str, Any]]:
        return lambda seconds: self._load(seconds, self.port, kind="reads", status=200, paths=paths)

    def _bids(self, seconds: float, products: list[int]) -> dict[str, Any]:
        # Each round continues where the last one stopped: every bid is above all earlier ones.
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
        """Return the rate of the load generator against a server that does nothing."""
        command = [sys.executable, "-m", "benchmarks.noop_server"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
            try:
                assert process.stdout
                port = int(process.stdout.readline())
                return self._load(min(self.options.seconds, 3), port, kind="reads", status=200, paths=["/"])
            finally:
                process.kill()

    def _load(self, seconds: float, port: int, **job: Any) -> dict[str, Any]:
        """Run the load generator in its own process."""
        job |= {"port": port, "seconds": seconds, "warmup": self.options.warmup}
        job["connections"] = self.options.connections
        command = [sys.executable, "-m", "benchmarks.load"]
        done = subprocess.run(command, input=json.dumps(job), capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"the load failed:\n{done.stderr[-2000:]}")
        result: dict[str, Any] = json.loads(done.stdout)
        return result

    def check_counts(self, database: postgres.Server) -> tuple[bool, str]:
        """Compare the 201 responses with the stored bids, and the public history with the products' bid counts."""
        stored, public = database.query(
            SERVER_DB, "SELECT count(*), count(seq) FROM auctions_bid WHERE outcome <> 'automatic'"
        )[0]
        counted = database.query(SERVER_DB, "SELECT sum(bid_count)::bigint FROM auctions_auction")[0][0]
        expected = self.plan["bids"] + self.accepted
        text = f"Bids answered 201: {expected:,}, stored: {stored:,}; of these public: {public:,}, counted: {counted:,}"
        return expected == stored and public == counted, text


def _rate(per_second: float) -> dict[str, Any]:
    return {"per_second": per_second}


def _check_invariants(env: dict[str, str]) -> tuple[bool, str]:
    done = server.manage(env, "check_invariants")
    lines = (done.stdout.strip() or done.stderr.strip() or "no output").splitlines()
    return done.returncode == 0, f"check_invariants: {lines[-1]}"


_STARTED = time.monotonic()


def _log(text: str) -> None:
    print(f"[{time.monotonic() - _STARTED:5.0f} s] {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
