"""A whole run: create users, list auctions over weeks, run all actions, check the invariants."""

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
from simulation.fake_stripe import FakeStripe
from simulation.report import Report, report
from simulation.scheduler import RuleViolated, Scheduler
from simulation.simulated_clock import SimulatedClock
from simulation.users import Users

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Not the real time: a run is the same on any day.
START: Final = datetime(2030, 3, 1, 12, tzinfo=UTC)
# Between two listings.
_MEAN_INTERVAL: Final = timedelta(minutes=40)
_NOTIFICATION_INTERVAL: Final = timedelta(hours=4)
_MAX_SHOWN: Final = 10  # violations of an invariant


@dataclass(frozen=True, slots=True)
class Plan:
    """What to simulate; the same plan gives the same run."""

    auctions: int
    seed: int
    check_every: int


def simulate(plan: Plan, *, progress: Callable[[str], None] = lambda _: None) -> Report:
    """Run a simulation in the default connection's database, which must be empty and a scratch one.

    `progress` is called after each check. Raises SimulationFailed at the first step that violates a rule or invariant.
    """
    rng = Random(plan.seed)  # noqa: S311 (repeatable, not secret)  # nosec B311
    with SimulatedClock(START) as clock, _mute_warnings():
        users = Users(auctions=plan.auctions, rng=rng, since=START)
        sim = Scheduler(clock=clock, rng=rng, users=users, fake_stripe=FakeStripe())
        sim.subscribe(
            listed=listings.schedule_auction,
            closed=sales.react_to_result,
            sold=orders.schedule_payment,
            defaulted=sales.react_to_default,
        )
        _schedule_listings(sim, plan, progress)
        with sim.fake_stripe.patch_gateway():
            sim.run()
            sim.at(sim.now, _write_notifications, sim, False)
            sim.at(sim.now, _check, sim, progress)
            sim.run()
        return report(counts=sim.counts, steps=sim.step)


def _schedule_listings(sim: Scheduler, plan: Plan, progress: Callable[[str], None]) -> None:
    category = categories.save_category(category=Category(), name="Things")
    moment = START
    for number in range(1, plan.auctions + 1):
        moment += sim.between(timedelta(0), _MEAN_INTERVAL * 2)
        sim.at(moment, listings.list_product, sim, category.pk)
        if number % plan.check_every == 0:
            sim.at(moment, _check, sim, progress)
    sim.at(START, _write_notifications, sim, True)


def _write_notifications(sim: Scheduler, repeat: bool) -> None:  # noqa: FBT001 (actions take positional arguments)
    """Run the job that writes notifications, and schedule it again while any action is left."""
    outbox.write_notifications()
    if repeat and sim.has_actions:
        sim.at(sim.now + _NOTIFICATION_INTERVAL, _write_notifications, sim, repeat)


def _check(sim: Scheduler, progress: Callable[[str], None]) -> None:
    """Check all invariants with the command that operators run."""
    out = StringIO()
    try:
        call_command("check_invariants", "--json", stdout=out)
    except CommandError:
        found = json.loads(out.getvalue())["checks"]
        lines = [f"{row['name']}: {line}" for row in found for line in row["findings"][:_MAX_SHOWN]]
        raise RuleViolated("invariants are violated:\n  " + "\n  ".join(lines)) from None
    progress(f"{sim.now:%Y-%m-%d %H:%M}  step {sim.step}, {sim.counts['listed']} listed: all invariants hold")


@contextmanager
def _mute_warnings() -> Iterator[None]:
    """Mute warnings of the services, which late payments cause. Errors end the run anyway."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
