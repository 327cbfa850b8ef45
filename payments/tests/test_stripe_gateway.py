"""The Stripe gateway: minor units and errors."""

from __future__ import annotations

import logging
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auctioncraft.core import money
from payments import errors, stripe_gateway
from payments.stripe_gateway import from_minor_units, to_minor_units


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("19.99", "USD", 1999),
        ("0.29", "USD", 29),
        ("1.10", "EUR", 110),
        ("999999.99", "USD", 99_999_999),
        ("500", "JPY", 500),
        ("500.000", "JPY", 500),
        ("1.230", "KWD", 1230),
        ("5.124", "KWD", 5124),
        ("5", "ISK", 500),
        ("5", "UGX", 500),
    ],
)
def test_minor_units_are_exact(amount, currency, minor):
    assert to_minor_units(Decimal(amount), currency) == minor
    assert from_minor_units(minor, currency) == Decimal(amount)


@pytest.mark.parametrize(("amount", "currency"), [("19.999", "USD"), ("0.5", "JPY"), ("1.2345", "KWD")])
def test_minor_units_that_need_rounding_raise(amount, currency):
    with pytest.raises(ValueError, match="not a whole number"):
        to_minor_units(Decimal(amount), currency)


@given(st.sampled_from(sorted(money.CURRENCIES)), st.integers(1, 10**11))
def test_minor_units_round_trip_every_amount(currency, smallest):
    amount = smallest * money.quantum(currency)
    assert from_minor_units(to_minor_units(amount, currency), currency) == amount


def create(amount="19.99", currency="USD", key="key"):
    return stripe_gateway.create_intent(
        amount=Decimal(amount), currency=currency, metadata={"order": "7"}, idempotency_key=key
    )


def test_create_intent_returns_stripes_values_and_hides_the_secret(double):
    intent = create(key="a")
    held = double.intent(intent.id)
    assert intent == stripe_gateway.Intent(
        id=held["id"],
        client_secret=held["client_secret"],
        status="requires_payment_method",
        amount_minor=1999,
        received_minor=0,
        currency="USD",
        livemode=False,
        metadata={"order": "7"},
        last_error_code="",
    )
    assert held["client_secret"] not in repr(intent)
    assert stripe_gateway.retrieve_intent(intent.id) == intent


def test_create_intent_with_the_same_key_returns_the_same_intent(double):
    assert create(key="b").id == create(key="b").id


def test_cancel_intent_cancels_it(double):
    assert stripe_gateway.cancel_intent(create(key="c").id).status == "canceled"


def test_retrieve_unknown_intent_raises(double):
    with pytest.raises(errors.StripeObjectMissing):
        stripe_gateway.retrieve_intent("pi_nothing")


def test_create_intent_with_a_used_key_and_other_parameters_raises(double):
    create(key="d")
    with pytest.raises(errors.PaymentRefused):
        create(amount="20.00", key="d")


def test_create_intent_below_stripes_minimum_raises_with_stripes_code(double):
    with pytest.raises(errors.PaymentRefused) as refusal:
        create(amount="0.05", key="e")
    assert refusal.value.body() == {
        "code": "payment_refused",
        "detail": "The payment provider refused to take this payment as it is.",
        "stripe_code": "amount_too_small",
    }


def test_create_intent_with_a_third_decimal_raises_before_the_request(stripe_unreachable):
    with pytest.raises(errors.AmountNotChargeable):
        create(amount="5.124", currency="KWD")


@pytest.mark.parametrize("fault", ["500", "429", "timeout_after_create"])
def test_gateway_with_stripe_failing_raises_unavailable(double, fault):
    double.fail_next(fault)
    with pytest.raises(errors.StripeUnavailable) as failure:
        create(key=f"fault-{fault}")
    assert (failure.value.status, failure.value.retry_after) == (503, 2)


def test_gateway_with_stripe_silent_raises_unavailable_within_the_timeout(double, settings):
    settings.STRIPE_TIMEOUT = 0.3
    double.fail_next("timeout_after_create", seconds=5)
    with pytest.raises(errors.StripeUnavailable):
        create(key="silent")


def test_gateway_with_stripe_unreachable_raises_unavailable(stripe_unreachable):
    with pytest.raises(errors.StripeUnavailable):
        create()


def test_gateway_with_a_key_of_a_stored_failure_raises(double):
    double.fail_next("500")
    with pytest.raises(errors.StripeUnavailable):
        create(key="spent")
    with pytest.raises(errors.StoredFailure):
        create(key="spent")


def test_gateway_with_a_refused_api_key_logs_no_secret(double, settings, caplog):
    settings.STRIPE_SECRET_KEY = "sk_live_of_somebody"
    with caplog.at_level(logging.DEBUG, "payments"), pytest.raises(errors.StripeUnavailable) as failure:
        create(key="f")
    assert "of_somebody" not in caplog.text + repr(failure.value) + str(failure.value)


@pytest.mark.parametrize(("key", "live"), [("sk_test_1", False), ("rk_live_1", True), ("sk_live_1", True)])
def test_live_mode_follows_the_api_key(settings, key, live):
    settings.STRIPE_SECRET_KEY = key
    assert stripe_gateway.is_live_mode() is live
