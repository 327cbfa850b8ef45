"""POST /api/payments/orders/{id}/refund/ and events of refunds over HTTP. All cases: payments/tests/test_refund*.py."""

from __future__ import annotations

import pytest

from payments.models import Refund
from payments.tests.conftest import broken_invariants, run_concurrently
from payments.tests.end_to_end.state_helpers import notified

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.servers]


@pytest.fixture
def seller_client(server, seller):
    return server.person(seller)


def refunded_amounts(at_stripe, intent_id):
    """Return the amounts of the refunds that Stripe made, oldest first."""
    charge_id = at_stripe.charge_of(intent_id)
    return [event["data"]["object"]["amount"] for event in at_stripe.events(charge_id, type="refund.created")]


def test_seller_refunds_the_whole_payment_and_the_buyer_is_notified(at_stripe, paid, order, seller_client, bidder):
    answer = seller_client.refund(order)
    assert (answer.status_code, answer.json()["refund"]["amount"]) == (201, "19.99")
    order.refresh_from_db()
    assert (str(order.refunded), refunded_amounts(at_stripe, paid)) == ("19.990", [1999])
    assert (notified("refund_issued", bidder), broken_invariants()) == ((1, 1), [])


def test_ten_concurrent_full_refunds_are_one_refund(at_stripe, paid, order, seller_client):
    answers = run_concurrently(10, lambda: seller_client.refund(order).status_code)
    assert (sorted(answers), refunded_amounts(at_stripe, paid)) == ([201] + [409] * 9, [1999])
    assert broken_invariants() == []


def test_ten_concurrent_deliveries_of_a_refund_event_have_one_effect(server, at_stripe, paid, order, bidder):
    at_stripe.double.post("/v1/refunds", payment_intent=paid, amount=500)
    event = at_stripe.event("charge.refunded", paid)
    assert run_concurrently(10, lambda: server.deliver(event).status_code) == [200] * 10
    order.refresh_from_db()
    assert (str(order.refunded), Refund.objects.count()) == ("5.000", 1)
    assert notified("refund_issued", bidder) == (1, 1)
