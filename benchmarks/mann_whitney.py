"""Whether two samples of times differ: the Mann-Whitney U test, with the standard library alone.

It asks of ranks, not of means, so a garbage collection or another process's turn, which are rare and long, decide
nothing. (H. B. Mann, D. R. Whitney, 1947; the normal approximation with the correction for ties, good from about 20.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby
from statistics import NormalDist
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Comparison:
    """`p`: how likely samples of one source differ by as much, two-sided. `share`: how often the first is the larger.

    `share` counts a tie half: 0.5 is no difference at all.
    """

    p: float
    share: float


def compare(first: Sequence[float], second: Sequence[float]) -> Comparison:
    """Compare two samples. Raises ValueError if one is empty."""
    if not first or not second:
        raise ValueError("Both samples need values.")
    count, pairs = len(first) + len(second), len(first) * len(second)
    ranks, ties = _ranks(first, second)
    u = ranks - len(first) * (len(first) + 1) / 2
    variance = pairs / 12 * ((count + 1) - ties / (count * (count - 1)))
    if variance <= 0:
        return Comparison(p=1.0, share=0.5)  # all are equal
    distance = max(0.0, abs(u - pairs / 2) - 0.5) / math.sqrt(variance)
    return Comparison(p=2 * (1 - NormalDist().cdf(distance)), share=u / pairs)


def smallest_detectable_delay(first: Sequence[float], second: Sequence[float], *, below: float) -> float:
    """Return the smallest delay, in the samples' unit, with which `p` would fall below `below`: the test's sensitivity.

    The delay is added to the first.
    """
    low, high = 0.0, max(*first, *second) - min(*first, *second)
    if not high:
        return 0.0
    precision = high / 2**20
    while high - low > precision:
        middle = (low + high) / 2
        seen = compare([value + middle for value in first], second)
        if seen.p < below and seen.share > 0.5:
            high = middle
        else:
            low = middle
    return high


def _ranks(first: Sequence[float], second: Sequence[float]) -> tuple[float, float]:
    """Return the sum of the first's ranks among all, and the ties' sum of t³ - t."""
    ordered = sorted([(value, True) for value in first] + [(value, False) for value in second])
    total = ties = 0.0
    below = 0
    for _, group in groupby(ordered, key=lambda pair: pair[0]):
        equal = [is_first for _, is_first in group]
        total += sum(equal) * (below + (len(equal) + 1) / 2)
        ties += len(equal) ** 3 - len(equal)
        below += len(equal)
    return total, ties
