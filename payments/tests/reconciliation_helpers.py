"""A paid order, and short forms of what a reconciliation found."""

from __future__ import annotations

import pytest

from payments.tests.refund_helpers import pay


@pytest.fixture
def paid(client, double, winner, product):
    """An order that is paid: its event was delivered."""
    return pay(client, double, winner, product)


def at_stripe(double, path, **params):
    return double.get(path, **params)


def texts(found):
    return [difference["text"] for difference in found.differences]


def count_fixed(found, what):
    return found.counts.get(f"{what}_fixed", 0)


def sums(found):
    return {category: (each["ours"], each["stripe"]) for of in found.sums.values() for category, each in of.items()}
