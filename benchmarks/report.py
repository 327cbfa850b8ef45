"""The table, and what one has to know to read it."""

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
    """One measurement: how it is taken, what it is held against, the share of that we aim at, and what came out."""

    name: str
    measure: Callable[[float], dict[str, Any]]
    against: Row | None = None
    aim: float | None = None
    yardstick: str = ""
    results: list[dict[str, Any]] = field(default_factory=list)

    @property
    def rates(self) -> list[float]:
        """Rates per second, a figure per round."""
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
    head = ("per second", "min", "median", "max", "p50", "p99", "refused", "of the limit", "aim", "")
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
            f"The load alone reaches {ceiling['per_second']:,.0f}/s against a server that does nothing; measuring ours"
            f" it took {busiest:.0%} of a core at most."
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
    if row.yardstick:
        return (f"{row.name} ({row.yardstick})", *rates, "", "", "", "", "", "the database's limit")
    times = [f"{median(result[name] for result in row.results):.1f}" for name in ("p50", "p99")]
    refused = sum(result["others"] for result in row.results) / max(1, sum(result["answers"] for result in row.results))
    share = median(row.rates) / median(row.against.rates) if row.against else 0
    aim, verdict = ("", "") if row.aim is None else (f"{row.aim:.0%}", "reached" if share >= row.aim else "**short**")
    return (row.name, *rates, *times, f"{refused:.1%}", f"{share:.1%}", aim, verdict)


def _line(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def machine(cores: int, load_before: float) -> str:
    """Return what it was measured on, and whether that was quiet."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    # Our own filling starts after this is read: what it shows is somebody else's work.
    busy = "; **NOT QUIET: others were at work, do not quote these figures**" if load_before > cores / 4 else ""
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
    """Return the commit, and whether anything was changed since."""
    try:
        git = ["git", "-C", str(ROOT)]
        commit = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
        changed = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "no commit"
    return commit.stdout.strip() + (" with changes" if changed.stdout.strip() else "")


def save(text: str, folder: Path) -> Path:
    """Write the report under the date, beside earlier ones of that day; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    names = (f"{day}.md", *(f"{day}-{number}.md" for number in range(2, 1000)))
    path = next(folder / name for name in names if not (folder / name).exists())
    path.write_text(text + "\n")
    return path
