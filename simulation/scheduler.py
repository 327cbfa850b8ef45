"""What a simulation plays on: one clock, one source of chance, one list of what happens next."""

from __future__ import annotations

import logging
from collections import Counter
from contextlib import contextmanager
from datetime import timedelta
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, TypeVar

from auctioncraft.core.errors import DomainError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime
    from random import Random

    from simulation.fake_stripe import Till
    from simulation.simulated_clock import SimulatedClock
    from simulation.users import People

_T = TypeVar("_T")


class RuleBroken(AssertionError):
    """Something that docs/rules.md does not allow."""


class SimulationFailed(Exception):
    """A run that ended at a step that must not happen; says where and why."""

    def __init__(self, *, step: int, at: datetime, act: str, problem: str) -> None:
        """`act` is what was being done."""
        self.step, self.at, self.act, self.problem = step, at, act, problem
        super().__init__(f"step {step}, {at:%Y-%m-%d %H:%M:%S.%f}, {act}: {problem}")


class _Alarm(logging.Handler):
    """Keeps what is logged as an error: sweeps log a failure and go on."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.rung: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        cause = f" ({record.exc_info[1]!r})" if record.exc_info else ""
        self.rung.append(record.getMessage() + cause)


class Stage:
    """Runs acts in the order of their time. The same seed runs the same acts: chance comes from `rng` alone."""

    def __init__(self, *, clock: SimulatedClock, rng: Random, people: People, till: Till) -> None:
        """`people` are in the database already."""
        self.clock, self.rng, self.people, self.till = clock, rng, people, till
        self.counts: Counter[str] = Counter()
        self.step = 0
        self._agenda: list[tuple[datetime, int, Callable[..., None], tuple[Any, ...]]] = []
        self._planned = 0
        self._hearers: dict[str, Callable[..., None]] = {}
        self._alarm = _Alarm()

    @property
    def now(self) -> datetime:
        """What every clock says."""
        return self.clock.now

    @property
    def busy(self) -> bool:
        """Whether there is anything left to do."""
        return bool(self._agenda)

    def at(self, moment: datetime, act: Callable[..., None], *arguments: Any) -> None:
        """Have `act` done at a moment; at once if that is past."""
        self._planned += 1
        heappush(self._agenda, (max(moment, self.now), self._planned, act, arguments))

    def hear(self, **hearers: Callable[..., None]) -> None:
        """Have what is told by `tell` done by these, named by the news."""
        self._hearers |= hearers

    def tell(self, news: str, *about: Any) -> None:
        """Say what has happened, to whoever goes on from there: acts of the auction know nothing of those after it."""
        self._hearers[news](self, *about)

    def within(self, least: timedelta, most: timedelta, act: Callable[..., None], *arguments: Any) -> None:
        """Have it done at some moment between `least` and `most` from now."""
        self.at(self.now + self.between(least, most), act, *arguments)

    def between(self, least: timedelta, most: timedelta) -> timedelta:
        """Return a length of time by chance."""
        return least + timedelta(microseconds=self.rng.randrange(max(1, (most - least) // timedelta(microseconds=1))))

    def chance(self, probability: float) -> bool:
        """Throw the dice."""
        return self.rng.random() < probability

    def choose(self, weights: Mapping[_T, int]) -> _T:
        """Return one of the keys, by their weights."""
        return self.rng.choices(list(weights), list(weights.values()))[0]

    def run(self) -> None:
        """Do everything on the list and what it leads to. Raises SimulationFailed at the first thing that is wrong."""
        logging.getLogger().addHandler(self._alarm)
        try:
            while self._agenda:
                moment, _, act, arguments = heappop(self._agenda)
                self.step += 1
                self.clock.move_to(moment)
                self._do(act, arguments)
        finally:
            logging.getLogger().removeHandler(self._alarm)

    def _do(self, act: Callable[..., None], arguments: Sequence[Any]) -> None:
        failure: Exception | None = None
        try:
            act(*arguments)
        except Exception as error:  # noqa: BLE001 (whatever it is, it ends the run)
            failure = error
        if failure or self._alarm.rung:
            said = ", ".join(str(told) for told in arguments if told is not self and not callable(told))
            problem = "; ".join((*self._alarm.rung, *([_in_words(failure)] if failure else ())))
            raise SimulationFailed(
                step=self.step, at=self.now, act=f"{act.__name__}({said})", problem=problem
            ) from failure

    @contextmanager
    def refused(self, *refusals: type[DomainError]) -> Iterator[None]:
        """Expect what is done inside to be refused with one of these; anything else breaks a rule."""
        try:
            yield
        except refusals:
            self.counts["refused as it should be"] += 1
        else:
            raise RuleBroken(f"not refused with {' or '.join(refusal.code for refusal in refusals)}")

    @staticmethod
    def hold(that: object, otherwise: str) -> None:
        """Break off unless `that` is so."""
        if not that:
            raise RuleBroken(otherwise)


def _in_words(failure: Exception) -> str:
    if isinstance(failure, RuleBroken):
        return str(failure)
    if isinstance(failure, DomainError):
        return f"refused with {failure.code}, which nothing here explains"
    return f"{type(failure).__name__}: {failure}"


HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
MICROSECOND = timedelta(microseconds=1)
# A worker that is up has done within a minute what is due (invariant 9).
SWEPT_WITHIN = 45 * SECOND
