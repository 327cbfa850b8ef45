"""Invariants: what must always be true of the data, checked in batches on the live database.

An app registers its checks in a module or package named `invariants`, which Django's `autodiscover_modules` imports:

    @invariant(4, "no seller bids on their own product", over=Product)
    def check_sellers_do_not_bid(batch: Batch) -> Iterable[str]:
        own = Bid.objects.filter(batch.within("product"), bidder=F("product__seller"))
        return (f"bid {pk} is the seller's own" for pk in own.values_list("pk", flat=True).iterator())

A check is called once per batch of rows of one model and yields a line for each row that violates the invariant. All
queries of one call see the same snapshot. Memory stays bounded if the check streams what it reads. Without `over` it is
called once, with nothing: for what becomes wrong as time passes, like an auction that should have been closed.
"""

from __future__ import annotations

import time
from collections import deque
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import groupby
from math import inf
from operator import itemgetter
from traceback import clear_frames
from typing import TYPE_CHECKING, Any, Final

from django.db import connection, transaction
from django.db.models import Q
from django.utils.module_loading import autodiscover_modules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from django.db.models import Model, QuerySet

    Check = Callable[..., Iterable[str]]
    ChangedKeys = Callable[[datetime], Iterable[Any]]

FIRST_BATCH: Final = 1000  # rows
MIN_BATCH: Final = 500
MAX_BATCH: Final = 20_000
# Keys that a query names one by one; PostgreSQL takes 65,535 parameters.
MAX_LISTED: Final = 5000
# A batch that takes longer makes the next one smaller: a long transaction holds back VACUUM. A faster one, larger.
MAX_SECONDS: Final = 4.0
MIN_SECONDS: Final = 0.5
_POSTGRESQL_SETTINGS: Final = {
    "statement_timeout": "60s",
    "work_mem": "64MB",
    "random_page_cost": "1.1",  # the keys of a batch are neighbors: reading them by index beats scanning the table
    "plan_cache_mode": "force_custom_plan",  # a generic plan does not know how small a batch is
    "jit": "off",  # compiling a query takes longer than a batch gains by it
    "cursor_tuple_fraction": "1",  # every row of a server-side cursor is read
}


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive rows of `model`, from key `first` to key `last`; with `keys`, only these rows of them."""

    model: type[Model]
    first: Any
    last: Any
    keys: tuple[Any, ...] | None = None

    @property
    def rows(self) -> QuerySet[Any]:
        """The batch as a queryset, ordered by key."""
        return self.model._default_manager.filter(self.within("pk")).order_by("pk")  # noqa: SLF001 (documented)

    def within(self, lookup: str) -> Q:
        """Return the condition that `lookup`, a path to the model's key, is in this batch."""
        if self.keys is not None:
            return Q((f"{lookup}__in", self.keys))
        return Q((f"{lookup}__gte", self.first), (f"{lookup}__lte", self.last))


@dataclass(frozen=True, slots=True)
class Invariant:
    """A registered check; `numbers` are those of docs/invariants.md."""

    app: str
    numbers: tuple[int, ...]
    sentence: str
    model: type[Model] | None
    check: Check

    @property
    def name(self) -> str:
        """The name in reports: numbers and sentence."""
        return f"{', '.join(map(str, self.numbers))} {self.sentence}".strip()

    def is_selected(self, only: Iterable[str]) -> bool:
        """Whether one of the numbers, or the app, is in `only`; an empty `only` selects everything."""
        only = set(only)
        return not only or not only.isdisjoint({self.app, *map(str, self.numbers)})


@dataclass(slots=True)
class Result:
    """What a check has found so far: one line per violating row; the seconds it took."""

    invariant: Invariant
    findings: list[str] = field(default_factory=list)
    seconds: float = 0.0
    failed: bool = False

    def add(self, *batch: Batch) -> None:
        """Check one more batch, or everything. A check that fails on broken data ends with that as a finding."""
        if self.failed:
            return
        start = time.monotonic()
        try:
            # A savepoint, so that the other checks can go on in this transaction.
            with transaction.atomic() if connection.in_atomic_block else nullcontext():
                self._extend(batch)
        except Exception as error:  # noqa: BLE001 (see above)
            self.failed = True
            self.findings.append(f"cannot be checked: {type(error).__name__}: {error}".strip())
        self.seconds += time.monotonic() - start

    def _extend(self, batch: tuple[Batch, ...]) -> None:
        try:
            self.findings += self.invariant.check(*batch)
        except Exception as error:
            # Closes server-side cursors that the check left open, before the savepoint is rolled back.
            clear_frames(error.__traceback__)
            raise


_registry: dict[str, Invariant] = {}
_changes: dict[type[Model], ChangedKeys] = {}


def invariant(
    numbers: int | tuple[int, ...] | None, sentence: str, *, over: type[Model] | None = None
) -> Callable[[Check], Check]:
    """Register a check that is called for each batch of rows of `over`, or once."""

    def register(check: Check) -> Check:
        app = check.__module__.partition(".")[0]
        listed = (numbers,) if isinstance(numbers, int) else numbers or ()
        added = Invariant(app, listed, sentence, over, check)
        if _registry.setdefault(f"{app} {added.name}", added) is not added:
            raise ValueError(f"Two invariants of {app} are named {added.name!r}.")
        return check

    return register


def describe(rows: QuerySet[Any], text: str, *fields: str) -> Iterator[str]:
    """Yield a line for each row: its key and then these fields in the places of `{}`."""
    for values in rows.values_list("pk", *fields).iterator():
        yield text.format(*values)


def reader_by_key(rows: Iterable[tuple[Any, ...]]) -> Callable[[int], Iterable[Any]]:
    """Return a function that gives the rows that begin with a key, to be read before those of the next key.

    Rows and calls are both in the order of the keys; so each table is read once, and no more than a row is in memory.
    """
    groups = groupby(rows, key=itemgetter(0))
    key, group = next(groups, (inf, ()))

    def read(wanted: int) -> Iterable[Any]:
        nonlocal key, group
        while key < wanted:
            key, group = next(groups, (inf, ()))
        return group if key == wanted else ()

    return read


def changed_since(model: type[Model]) -> Callable[[ChangedKeys], ChangedKeys]:
    """Register a function that returns the keys of the rows that changed since a time. Without one, all count."""

    def register(keys: ChangedKeys) -> ChangedKeys:
        _changes[model] = keys
        return keys

    return register


def all_invariants(*only: str) -> list[Invariant]:
    """Return the invariants of all installed apps, or those of some apps or numbers."""
    autodiscover_modules("invariants")
    return [found for found in _registry.values() if found.is_selected(only)]


def run(
    invariants: Iterable[Invariant],
    *,
    since: datetime | None = None,
    progress: Callable[[Batch], None] = lambda _: None,
) -> list[Result]:
    """Check all rows, or those that changed since a time. Each batch is read once for all checks of its model."""
    results = [Result(checked) for checked in invariants]
    for model in dict.fromkeys(result.invariant.model for result in results):
        group = [result for result in results if result.invariant.model is model]
        if model is None:
            with read_only():
                for result in group:
                    result.add()
            continue
        for batch in _batches(model, since):
            progress(batch)
            with read_only():
                for result in group:
                    result.add(batch)
    return results


def _batches(model: type[Model], since: datetime | None) -> Iterator[Batch]:
    """Yield the rows in the order of their keys; batches grow or shrink so that the work on each takes a second."""
    size, last = FIRST_BATCH, None
    changed = None
    if since and model in _changes:
        with read_only():
            changed = deque(sorted(set(_changes[model](since))))
    while keys := _next_keys(model, last, size) if changed is None else _take(changed, min(size, MAX_LISTED)):
        last, start = keys[-1], time.monotonic()
        yield Batch(model, keys[0], last, None if changed is None else tuple(keys))
        seconds = time.monotonic() - start
        if changed is None and len(keys) < size:
            return
        if seconds > MAX_SECONDS:
            size = max(MIN_BATCH, size // 2)
        elif seconds < MIN_SECONDS:
            size = min(MAX_BATCH, size * 2)


def _next_keys(model: type[Model], last: Any, size: int) -> list[Any]:
    rows = model._default_manager.order_by("pk")  # noqa: SLF001 (documented)
    if last is not None:
        rows = rows.filter(pk__gt=last)
    return list(rows.values_list("pk", flat=True)[:size])


def _take(keys: deque[Any], size: int) -> list[Any]:
    return [keys.popleft() for _ in range(min(size, len(keys)))]


@contextmanager
def read_only() -> Iterator[None]:
    """Read one snapshot without being able to write, and without making writers wait.

    In an open transaction this is a savepoint of it: what fails in it leaves the transaction usable.
    """
    if connection.in_atomic_block:
        with transaction.atomic():
            yield
    elif connection.vendor == "postgresql":
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            for name, value in _POSTGRESQL_SETTINGS.items():
                cursor.execute(f"SET LOCAL {name} = '{value}'")
            yield
    else:
        # Not atomic(): that would be BEGIN IMMEDIATE, and every bid would wait.
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA query_only = on")
            cursor.execute("BEGIN DEFERRED")
            try:
                yield
            finally:
                cursor.execute("ROLLBACK")
                cursor.execute("PRAGMA query_only = off")
