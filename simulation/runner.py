"""A whole run: people are made, auctions are listed over the weeks, everybody acts, the invariants are checked."""

from __future__ import annotations

import json
import logging
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import StringIO
from random import Random
from typing import TYPE_CHECKING, Final

from django.core.management import CommandError, call_command

from auctions.models import Category
from auctions.services import categories
from notifications.services import outbox
from simulation import listings, orders, sales
from simulation.fake_stripe import Till
from simulation.report import Report, report
from simulation.scheduler import RuleBroken, Stage
from simulation.simulated_clock import SimulatedClock
from simulation.users import People

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Never the real time: a run is the same on any day.
START: Final = datetime(2030, 3, 1, 12, tzinfo=UTC)
# Between two listings, on the average.
_PACE: Final = timedelta(minutes=40)
_NOTICES_EVERY: Final = timedelta(hours=4)
_SHOWN: Final = 10  # violations of a check


@dataclass(frozen=True, slots=True)
class Plan:
    """What to simulate; the same plan is the same run."""

    auctions: int
    seed: int
    check_every: int


def simulate(plan: Plan, *, progress: Callable[[str], None] = lambda _: None) -> Report:
    """Run a market on the default connection's database, which must be a scratch one and empty.

    `progress` is told of every check. Raises SimulationFailed at the first step that breaks a rule or an invariant.
    """
    rng = Random(plan.seed)  # noqa: S311 (the same market every time)  # nosec B311
    with SimulatedClock(START) as clock, _quiet():
        people = People(auctions=plan.auctions, rng=rng, since=START)
        stage = Stage(clock=clock, rng=rng, people=people, till=Till())
        stage.hear(
            listed=listings.begin, closed=sales.follow_result, sold=orders.follow_order, fell_through=sales.fell_through
        )
        _plan_listings(stage, plan, progress)
        with stage.till.in_place_of_stripe():
            stage.run()
            stage.at(stage.now, _write_notices, stage, False)
            stage.at(stage.now, _check, stage, progress)
            stage.run()
        return report(acts=stage.counts, steps=stage.step)


def _plan_listings(stage: Stage, plan: Plan, progress: Callable[[str], None]) -> None:
    category = categories.save_category(category=Category(), name="Things")
    moment = START
    for number in range(1, plan.auctions + 1):
        moment += stage.between(timedelta(0), _PACE * 2)
        stage.at(moment, listings.list_product, stage, category.pk)
        if number % plan.check_every == 0:
            stage.at(moment, _check, stage, progress)
    stage.at(START, _write_notices, stage, True)


def _write_notices(stage: Stage, again: bool) -> None:  # noqa: FBT001 (an act's arguments are plain)
    """Sweep; and again while there is anything to come."""
    outbox.write_notifications()
    if again and stage.busy:
        stage.at(stage.now + _NOTICES_EVERY, _write_notices, stage, again)


def _check(stage: Stage, progress: Callable[[str], None]) -> None:
    """Hold everything against every invariant, as the command that operators run does."""
    out = StringIO()
    try:
        call_command("check_invariants", "--json", stdout=out)
    except CommandError:
        found = json.loads(out.getvalue())["checks"]
        lines = [f"{row['name']}: {line}" for row in found for line in row["findings"][:_SHOWN]]
        raise RuleBroken("invariants are broken:\n  " + "\n  ".join(lines)) from None
    progress(f"{stage.now:%Y-%m-%d %H:%M}  step {stage.step}, {stage.counts['listed']} listed: all invariants hold")


@contextmanager
def _quiet() -> Iterator[None]:
    """Let warnings of the services go unsaid: money that comes too late is no news here. Errors end the run anyway."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
