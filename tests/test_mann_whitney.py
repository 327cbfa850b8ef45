"""The rank test of the enumeration benchmark (benchmarks/mann_whitney.py)."""

import random

import pytest

from benchmarks import mann_whitney


def test_mann_whitney_gives_figures_worked_out_by_hand():
    first, second = [1, 2, 4, 7, 8], [3, 5, 6, 9, 10, 11]

    found = mann_whitney.compare(first, second)

    # Counted by hand: of 30 pairs the first is larger in 7.
    assert found.share == pytest.approx(7 / 30)
    # z = (|7 - 15| - 0.5) / sqrt(5 * 6 * 12 / 12) = 7.5 / sqrt(30) = 1.3693; p = 0.1709.
    assert found.p == pytest.approx(0.1709, abs=0.0001)


def test_mann_whitney_with_ties_counts_half():
    found = mann_whitney.compare([1, 2, 2, 3], [2, 3, 3, 4])

    assert found.share == pytest.approx((0 + 0.5 + 0.5 + 2) / 16)
    # Ties: 3 twos and 3 threes, 48; variance = 16 / 12 * (9 - 48 / 56) = 10.857; z = (5 - 0.5) / 3.295 = 1.3657.
    assert found.p == pytest.approx(0.1720, abs=0.0001)


def test_mann_whitney_with_swapped_samples_gives_the_same():
    one, other = [1.0, 5.0, 6.0, 9.0], [2.0, 3.0, 4.0]

    assert mann_whitney.compare(one, other).p == pytest.approx(mann_whitney.compare(other, one).p)
    assert mann_whitney.compare(one, other).share == pytest.approx(1 - mann_whitney.compare(other, one).share)


def test_mann_whitney_with_equal_samples_finds_no_difference():
    assert mann_whitney.compare([3.0] * 5, [3.0] * 7) == mann_whitney.Comparison(p=1.0, share=0.5)
    with pytest.raises(ValueError, match="need values"):
        mann_whitney.compare([], [1.0])


def test_mann_whitney_false_alarms_are_rare_and_a_delay_is_found():
    chance = random.Random(1)

    def sample(delay=0.0):
        return [chance.lognormvariate(0, 0.5) + delay for _ in range(200)]

    alarms = sum(mann_whitney.compare(sample(), sample()).p < 0.05 for _ in range(400))
    assert 8 <= alarms <= 36  # 20 are expected
    assert mann_whitney.compare(sample(0.3), sample()).p < 0.001


def test_mann_whitney_least_detectable_delay_is_where_the_verdict_turns():
    chance = random.Random(2)
    first, second = ([chance.lognormvariate(0, 0.5) for _ in range(300)] for _ in range(2))

    least = mann_whitney.smallest_detectable_delay(first, second, below=0.01)

    assert mann_whitney.compare([value + least * 1.02 for value in first], second).p < 0.01
    assert mann_whitney.compare([value + least * 0.98 for value in first], second).p >= 0.01
    assert mann_whitney.smallest_detectable_delay([1.0, 1.0], [1.0], below=0.01) == 0.0
