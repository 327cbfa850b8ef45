"""Faults of webhooks, set at `POST /_double/webhooks`: doubled, reordered, delayed, lost, paused.

Stripe promises neither order nor that an event comes once: https://docs.stripe.com/webhooks#best-practices
Kept in memory: a restart resets them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from stripe_double.store import Delivery

JSON = dict[str, Any]

MAX_COPIES = 100
MAX_SECONDS = 600.0
ALL = -1


@dataclass(frozen=True)
class Switches:
    """The webhook faults; none by default. Times in seconds."""

    doubled: int = 0  # additional copies of each delivery
    reorder: bool = False
    window: float = 0.25  # for how long events are collected before they are shuffled
    seed: int = 0
    delay: float = 0.0
    drop: int = 0  # how many of the next deliveries are lost; ALL of them
    pause: bool = False


@dataclass
class WebhookFaults:
    """The present switches, and the random order of `reorder`."""

    now: Switches = field(default_factory=Switches)
    _dice: Random = field(default_factory=lambda: Random(0))  # noqa: S311 (dice, no secret)  # nosec B311

    def set(self, given: JSON) -> str | None:
        """Change the switches in `given`; with `reset=true` first reset all. Return an error message or None."""
        start, problem = _read(_flag, given, "reset", default=False)
        changed: JSON = {}
        for name, read in READERS.items():
            if name in given and problem is None:
                changed[name], problem = _read(read, given, name)
        if problem is None:
            self.now = replace(Switches() if start else self.now, **changed)
            if start or "seed" in changed:
                self._dice = Random(self.now.seed)  # noqa: S311 (dice)  # nosec B311
        return problem

    @property
    def delay_seconds(self) -> float:
        """Return how many seconds a delivery waits after it is due."""
        return self.now.delay + (self.now.window if self.now.reorder else 0)

    def should_drop(self) -> bool:
        """Return whether the next delivery is lost, and count it."""
        if self.now.drop > 0:
            self.now = replace(self.now, drop=self.now.drop - 1)
            return True
        return self.now.drop == ALL

    def shuffled(self, batch: list[Delivery]) -> list[Delivery]:
        """Return the batch in another order, deterministic for a seed."""
        mixed = batch[:]
        self._dice.shuffle(mixed)
        return mixed if mixed != batch else batch[::-1]

    def as_dict(self) -> JSON:
        """Return the switches as the double answers them."""
        return asdict(self.now)


def _flag(value: str) -> bool:
    if value.lower() not in ("true", "false"):
        raise ValueError
    return value.lower() == "true"


def _between(number: Callable[[str], Any], least: float, most: float) -> Callable[[str], Any]:
    def read(value: str) -> Any:
        found = number(value)
        if not least <= found <= most:  # also refuses nan
            raise ValueError
        return found

    return read


READERS: dict[str, Callable[[str], Any]] = {
    "doubled": _between(int, 0, MAX_COPIES),
    "reorder": _flag,
    "window": _between(float, 0, MAX_SECONDS),
    "seed": int,
    "delay": _between(float, 0, MAX_SECONDS),
    "drop": _between(int, ALL, 2**31),
    "pause": _flag,
}


def _read(read: Callable[[str], Any], given: JSON, name: str, *, default: Any = None) -> tuple[Any, str | None]:
    if name not in given:
        return default, None
    try:
        return read(str(given[name])), None
    except ValueError:
        return default, f"{name} is not what it may be: see GET /_double/"
