"""A double of one's own, and a short way to say what a reconciliation found."""

from __future__ import annotations

import pytest
import requests

from payments.tests.conftest import KEY, start_double
from payments.tests.refund_helpers import pay


@pytest.fixture
def double(settings):
    """One of its own: all that is in it is to agree with what is here."""
    for started in start_double():
        settings.STRIPE_API_BASE = started.url
        yield started


@pytest.fixture
def paid(client, double, winner, product):
    """An order that is paid, as Stripe told us."""
    return pay(client, double, winner, product)


def at_stripe(double, path, **params):
    return requests.get(double.url + path, params, auth=KEY, timeout=10).json()


def texts(found):
    return [difference["text"] for difference in found.differences]


def count_fixed(found, what):
    return found.counts.get(f"{what}_fixed", 0)


def sums(found):
    return {category: (each["ours"], each["stripe"]) for of in found.sums.values() for category, each in of.items()}
