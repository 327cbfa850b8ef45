"""Amounts that cards can be charged with, by Stripe's documented limits."""

from __future__ import annotations

from decimal import Decimal

import pytest

from auctioncraft.core import card_amounts, money
from payments import stripe_gateway


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [
        ("0.49", "USD", False),
        ("0.50", "USD", True),
        ("0.29", "GBP", False),
        ("0.30", "GBP", True),
        ("49", "JPY", False),
        ("50", "JPY", True),
        ("174.99", "HUF", False),
        ("175", "HUF", True),
        ("0.01", "ALL", True),  # only Stripe knows its value in the settlement currency
        ("999999.99", "USD", True),
        ("1000000", "USD", False),
        ("99999999", "JPY", True),
        ("100000000", "JPY", False),
        ("99999.990", "KWD", True),
        ("100000", "KWD", False),
        ("9999999999.99", "IDR", True),
        ("10000000000", "IDR", False),
        ("999999", "ISK", True),  # counted in hundredths
        ("1000000", "ISK", False),
        ("5.120", "KWD", True),
        ("5.124", "KWD", False),
        ("0", "USD", False),
        ("0", "ALL", False),
    ],
)
def test_can_charge_of_amounts_at_the_limits(amount, currency, expected):
    assert card_amounts.can_charge(amount=Decimal(amount), currency=currency) is expected


@pytest.mark.parametrize("currency", sorted(money.CURRENCIES))
def test_can_charge_some_amount_in_every_currency(currency):
    assert card_amounts.can_charge(amount=Decimal(1000), currency=currency)


@pytest.mark.parametrize(("amount", "currency"), [("0.49", "USD"), ("49", "JPY"), ("1000000", "USD"), ("5.124", "KWD")])
def test_stripe_refuses_amounts_that_can_charge_rejects(double, amount, currency):
    minor = stripe_gateway.to_minor_units(Decimal(amount), currency)
    assert double.create(amount=minor, currency=currency.lower())["error"]["type"] == "invalid_request_error"
