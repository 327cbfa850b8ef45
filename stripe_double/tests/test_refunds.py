from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
import stripe

from stripe_double.tests.conftest import plain

if TYPE_CHECKING:
    from stripe_double.tests.conftest import Running


def test_refunds_stop_at_what_was_charged(double: Running) -> None:
    intent, refunds = double.paid(), double.client().v1.refunds
    part = refunds.create({"payment_intent": intent.id, "amount": 1500, "reason": "requested_by_customer"})
    assert (part.amount, part.status, part.charge) == (1500, "succeeded", intent.latest_charge)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        refunds.create({"payment_intent": intent.id, "amount": 500})
    assert (caught.value.param, caught.value.user_message) == (
        "amount", "Refund amount ($5.00) is greater than unrefunded amount on charge ($4.99)",
    )  # fmt: skip
    rest = refunds.create({"charge": intent.latest_charge})
    assert rest.amount == 499
    with pytest.raises(stripe.InvalidRequestError) as caught:
        refunds.create({"payment_intent": intent.id})
    assert caught.value.code == "charge_already_refunded"
    charge = double.client().v1.charges.retrieve(intent.latest_charge, {"expand": ["refunds"]})
    assert (charge.amount_refunded, charge.refunded) == (1999, True)
    assert [item.id for item in charge.refunds.data] == [rest.id, part.id]
    assert [item.id for item in refunds.list({"payment_intent": intent.id}).data] == [rest.id, part.id]
    assert plain(refunds.retrieve(part.id)) == plain(part)
    assert double.events()[-4:] == ["refund.created", "charge.refunded"] * 2


def test_parallel_refunds_never_pass_the_ceiling(double: Running) -> None:
    intent = double.paid(amount=1000)

    def attempt(_: int) -> int:
        try:
            return double.client().v1.refunds.create({"payment_intent": intent.id, "amount": 400}).amount
        except stripe.InvalidRequestError:
            return 0

    with ThreadPoolExecutor(10) as pool:
        assert sum(pool.map(attempt, range(10))) == 800
    assert double.client().v1.charges.retrieve(intent.latest_charge).amount_refunded == 800


def test_what_was_not_paid_cannot_be_refunded(double: Running) -> None:
    for params, message in (
        ({"payment_intent": double.intent().id}, "does not have a successful charge to refund"),
        ({"charge": "ch_none"}, "No such charge"),
        ({}, "One of the following params"),
        ({"payment_intent": double.paid().id, "amount": 0}, "greater than or equal to 1"),
    ):
        with pytest.raises(stripe.InvalidRequestError, match=message):
            double.client().v1.refunds.create(params)
    assert double.client().v1.refunds.list().data == []
