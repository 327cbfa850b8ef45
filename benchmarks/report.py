"""The report: a table, and notes to read it."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parent.parent


@dataclass(eq=False)
class Row:
    """One measurement: its function, the row it is compared to, the target share of that, and its results."""

    name: str
    measure: Callable[[float], dict[str, Any]]
    compared_to: Row | None = None
    target: float | None = None
    baseline: str = ""
    results: list[dict[str, Any]] = field(default_factory=list)

    @property
    def rates(self) -> list[float]:
        """The rates per second, one per round."""
        return [result["per_second"] for result in self.results]


def write(
    options: argparse.Namespace,
    rows: list[Row],
    checks: list[tuple[bool, str]],
    *,
    ceiling: dict[str, Any],
    database: str,
    load_before: float,
) -> str:
    """Return the report as Markdown."""
    head = ("per second", "min", "median", "max", "p50", "p99", "refused", "of the limit", "target", "")
    lines = [_line(head), _line(("---", *["---:"] * 8, "---"))]
    lines += [_line(_cells(row)) for row in rows]
    ours = [result for row in rows for result in row.results if "generator_cpu" in result]
    refusals = sorted({text for result in ours for text in result["refusals"]})
    busiest = max((result["generator_cpu"] for result in ours), default=0)
    notes = [
        (
            f"{options.rounds} rounds of {options.seconds:g} s each, {options.connections} connections. p50 and p99 are"
            " milliseconds, medians of the rounds; the share of the limit is that of the medians."
        ),
        f"granian {version('granian')}, {options.workers} workers of {options.threads} blocking threads. {database}.",
        (
            f"The load generator alone reaches {ceiling['per_second']:,.0f}/s against a server that does nothing;"
            f" measuring the server it used at most {busiest:.0%} of a core."
        ),
        *[("" if good else "**FAILED** ") + text for good, text in checks],
        *[f"Among the refusals: {text}" for text in refusals],
    ]
    return "\n".join(
        [
            f"# {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {_revision()}",
            "",
            machine(options.cores, load_before),
            "",
            *lines,
            "",
            *[f"- {note}" for note in notes],
        ]
    )


def _cells(row: Row) -> tuple[str, ...]:
    rates = [f"{rate:,.0f}" for rate in (min(row.rates), median(row.rates), max(row.rates))]
    if row.baseline:
        return (f"{row.name} ({row.baseline})", *rates, "", "", "", "", "", "the database's limit")
    times = [f"{median(result[name] for result in row.results):.1f}" for name in ("p50", "p99")]
    refused = sum(result["others"] for result in row.results) / max(1, sum(result["answers"] for result in row.results))
    share = median(row.rates) / median(row.compared_to.rates) if row.compared_to else 0
    target = verdict = ""
    if row.target is not None:
        target, verdict = f"{row.target:.0%}", "reached" if share >= row.target else "**missed**"
    return (row.name, *rates, *times, f"{refused:.1%}", f"{share:.1%}", target, verdict)


def _line(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def machine(cores: int, load_before: float) -> str:
    """Describe the machine, and whether it was idle before."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    # Read before the benchmark starts its own work.
    busy = "; **NOT IDLE: do not quote these figures**" if load_before > cores / 4 else ""
    return (
        f"{_processor()}, {cores} cores, {memory:.0f} GiB, {platform.system()} {platform.release()},"
        f" Python {platform.python_version()}; load average before: {load_before:.2f}{busy}"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _revision() -> str:
    """Return the commit, and whether there are uncommitted changes."""
    try:
        git = ["git", "-C", str(ROOT)]
        commit = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
        changed = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "no commit"
    return commit.stdout.strip() + (" with changes" if changed.stdout.strip() else "")


def save(text: str, folder: Path) -> Path:
    """Write the report under a name with the date, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    names = (f"{day}.md", *(f"{day}-{number}.md" for number in range(2, 1000)))
    path = next(folder / name for name in names if not (folder / name).exists())
    path.write_text(text + "\n")
    return path
