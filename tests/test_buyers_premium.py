"""The buyer's premium."""

from __future__ import annotations

from decimal import Decimal as D  # noqa: N817

import pytest

from auctioncraft.core.pricing import buyers_premium

BANDS = ((D(0), D(25)), (D(1000), D(20)), (D(5000), D("12.5")))


@pytest.mark.parametrize(
    ("hammer", "premium"),
    [("100", "25.00"), ("1000", "250.00"), ("1000.01", "250.00"), ("3000", "650.00"), ("6000", "1175.00")],
)
def test_premium_of_bands_is_marginal(hammer, premium):
    assert buyers_premium(D(hammer), "USD", BANDS) == D(premium)


def test_premium_without_bands_is_zero():
    assert buyers_premium(D(100), "USD", ()) == 0


@pytest.mark.parametrize(
    ("hammer", "currency", "premium"),
    [
        ("0.10", "USD", "0.03"),
        ("99", "JPY", "25"),
        ("98", "JPY", "25"),
        ("1.002", "KWD", "0.250"),
        ("5.130", "KWD", "1.280"),
    ],
)
def test_premium_is_rounded_once_half_up(hammer, currency, premium):
    result = buyers_premium(D(hammer), currency, BANDS)
    assert str(result) == premium
