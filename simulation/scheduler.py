"""The scheduler of a simulation: its clock, its random choices, its queue of actions."""

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

    from simulation.fake_stripe import FakeStripe
    from simulation.simulated_clock import SimulatedClock
    from simulation.users import Users

_T = TypeVar("_T")


class RuleViolated(AssertionError):
    """Something happened that docs/rules.md does not allow."""


class SimulationFailed(Exception):
    """A run that failed, with the step and the reason."""

    def __init__(self, *, step: int, at: datetime, action: str, problem: str) -> None:
        """Take the failed step, its time, its action with arguments, and the problem."""
        self.step, self.at, self.action, self.problem = step, at, action, problem
        super().__init__(f"step {step}, {at:%Y-%m-%d %H:%M:%S.%f}, {action}: {problem}")


class _ErrorLog(logging.Handler):
    """Collects logged errors, since jobs log a failure and go on."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.errors: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        cause = f" ({record.exc_info[1]!r})" if record.exc_info else ""
        self.errors.append(record.getMessage() + cause)


class Scheduler:
    """Runs actions in the order of their time. All randomness comes from `rng`, so a seed repeats a run."""

    def __init__(self, *, clock: SimulatedClock, rng: Random, users: Users, fake_stripe: FakeStripe) -> None:
        """Take the parts of a run; the users are in the database already."""
        self.clock, self.rng, self.users, self.fake_stripe = clock, rng, users, fake_stripe
        self.counts: Counter[str] = Counter()
        self.step = 0
        self._queue: list[tuple[datetime, int, Callable[..., None], tuple[Any, ...]]] = []
        self._queued = 0
        self._subscribers: dict[str, Callable[..., None]] = {}
        self._error_log = _ErrorLog()

    @property
    def now(self) -> datetime:
        """The simulated time."""
        return self.clock.now

    @property
    def has_actions(self) -> bool:
        """Whether any action is left."""
        return bool(self._queue)

    def at(self, moment: datetime, action: Callable[..., None], *arguments: Any) -> None:
        """Schedule an action; at once if the time has passed."""
        self._queued += 1
        heappush(self._queue, (max(moment, self.now), self._queued, action, arguments))

    def subscribe(self, **subscribers: Callable[..., None]) -> None:
        """Register the function to call for each event."""
        self._subscribers |= subscribers

    def publish(self, event: str, *arguments: Any) -> None:
        """Call the subscriber of an event: the modules before a sale import none of those after it."""
        self._subscribers[event](self, *arguments)

    def within(self, low: timedelta, high: timedelta, action: Callable[..., None], *arguments: Any) -> None:
        """Schedule an action at a random time between `low` and `high` from now."""
        self.at(self.now + self.between(low, high), action, *arguments)

    def between(self, low: timedelta, high: timedelta) -> timedelta:
        """Return a random duration."""
        return low + timedelta(microseconds=self.rng.randrange(max(1, (high - low) // timedelta(microseconds=1))))

    def chance(self, probability: float) -> bool:
        """Return True with this probability."""
        return self.rng.random() < probability

    def choose(self, weights: Mapping[_T, int]) -> _T:
        """Return a random key, by the weights."""
        return self.rng.choices(list(weights), list(weights.values()))[0]

    def run(self) -> None:
        """Run all actions and what they schedule. Raises SimulationFailed at the first failure."""
        logging.getLogger().addHandler(self._error_log)
        try:
            while self._queue:
                moment, _, action, arguments = heappop(self._queue)
                self.step += 1
                self.clock.move_to(moment)
                self._run_action(action, arguments)
        finally:
            logging.getLogger().removeHandler(self._error_log)

    def _run_action(self, action: Callable[..., None], arguments: Sequence[Any]) -> None:
        failure: Exception | None = None
        try:
            action(*arguments)
        except Exception as error:  # noqa: BLE001 (any error ends the run)
            failure = error
        if failure or self._error_log.errors:
            shown = ", ".join(str(value) for value in arguments if value is not self and not callable(value))
            problem = "; ".join((*self._error_log.errors, *([_describe(failure)] if failure else ())))
            raise SimulationFailed(
                step=self.step, at=self.now, action=f"{action.__name__}({shown})", problem=problem
            ) from failure

    @contextmanager
    def expect_refusal(self, *refusals: type[DomainError]) -> Iterator[None]:
        """Expect the block to be refused with one of these errors."""
        try:
            yield
        except refusals:
            self.counts["expected refusals"] += 1
        else:
            raise RuleViolated(f"not refused with {' or '.join(refusal.code for refusal in refusals)}")

    @staticmethod
    def check(condition: object, message: str) -> None:
        """Raise RuleViolated with the message unless the condition holds."""
        if not condition:
            raise RuleViolated(message)


def _describe(failure: Exception) -> str:
    if isinstance(failure, RuleViolated):
        return str(failure)
    if isinstance(failure, DomainError):
        return f"unexpectedly refused with {failure.code}"
    return f"{type(failure).__name__}: {failure}"


HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
MICROSECOND = timedelta(microseconds=1)
# A running worker does what is due within a minute (invariant 9).
JOB_DELAY = 45 * SECOND
