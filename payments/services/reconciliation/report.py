"""What one reconciliation looks at, and what it finds."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeVar

from auctioncraft.core import money

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

_Row = TypeVar("_Row")

_PAGE: Final = 100
# Written down of each run; should there be more, the count says so.
MAX_SHOWN: Final = 500


@dataclass(slots=True)
class Report:
    """One run, from `since` to `until` (UTC). Without `fix` it only reports.

    `heartbeat` is called once a page and raises if another run has replaced this one.
    """

    since: datetime
    until: datetime
    fix: bool
    heartbeat: Callable[[], None]
    counts: Counter[str] = field(default_factory=Counter)
    differences: list[dict[str, Any]] = field(default_factory=list)
    # By (currency, category): ours, Stripe's.
    _sums: dict[tuple[str, str], list[Decimal]] = field(default_factory=lambda: defaultdict(lambda: [Decimal(0)] * 2))

    def add_difference(self, text: str, *ids: str) -> None:
        """Write down something in which we and Stripe differ; `ids` are Stripe's."""
        self.counts["differences"] += 1
        if len(self.differences) < MAX_SHOWN:
            self.differences.append({"text": text, "ids": [each for each in ids if each]})

    def add_amount(
        self, currency: str, category: str, *, ours: Decimal = Decimal(0), stripes: Decimal = Decimal(0)
    ) -> None:
        """Add an amount to one sum or the other."""
        both = self._sums[currency, category]
        both[0] += ours
        both[1] += stripes

    @property
    def sums(self) -> dict[str, dict[str, dict[str, str]]]:
        """The sums by currency and category, as text."""
        written: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)
        for (currency, category), (ours, stripes) in sorted(self._sums.items()):
            written[currency][category] = {
                "ours": money.to_text(ours, currency),
                "stripe": money.to_text(stripes, currency),
            }
        return dict(written)

    def pages(self, rows: Iterable[_Row]) -> Iterator[list[_Row]]:
        """Yield rows a page at a time, with a sign of life for each."""
        rest = iter(rows)
        while page := list(islice(rest, _PAGE)):
            self.heartbeat()
            yield page
