"""Two concurrent refunds above the paid amount: one is made, one is refused."""

from decimal import Decimal
from functools import partial

import pytest
from django.db import transaction

from auctioncraft.core import clock
from auctions.services import closing
from auctions.tests import auction_helpers
from payments.models import Order, Payment, Refund
from payments.services import orders
from tests import factories
from tests.races.harness import at_once, findings, interleave

pytestmark = pytest.mark.servers

ROUNDS = 10
# Stripe is not running, so refunds wait for the periodic job; the race is for the refundable amount.
REFUND_WRITES = 'INSERT INTO "payments_refund"'


def paid(seller, bidder):
    """Return a paid order of 20 USD."""
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, "20")
    closing.close_auction(product_id=product.pk, actor=seller)
    order, now = Order.objects.get(product=product), clock.now()
    money = {"amount": order.total, "currency": "USD", "received": order.total, "received_currency": "USD"}
    payment = Payment.objects.create(
        order=order, stripe_intent_id=f"pi_{order.pk}", **money, status="succeeded", succeeded_at=now
    )
    with transaction.atomic():
        orders.mark_paid(order=order, payment=payment, at=now)
    return order


def refund(caller, order, amount):
    return partial(
        caller.send, "POST", f"/api/payments/orders/{order.pk}/refund/", {"amount": amount, "note": "A test."}
    )


def counted(order):
    """Return the refunded amount on the payment, and the sum of the refunds."""
    amounts = Refund.objects.filter(payment__order=order).values_list("amount", flat=True)
    return Payment.objects.get(order=order).refunds_reserved, sum(amounts, Decimal(0))


def test_two_refunds_above_the_payment_at_once_make_one(server, seller, bidder, rival):
    rival.is_staff = True
    rival.save()
    for _ in range(ROUNDS):
        order = paid(seller, bidder)
        calls = [refund(server.caller(who), order, "15") for who in (seller, rival)]
        answers = at_once(*calls)
        assert sorted(status for status, _ in answers) == [201, 409]
        [refused] = [answer for status, answer in answers if status == 409]
        assert (refused["code"], refused["refundable"]) == ("refund_too_large", "5.00")
        assert counted(order) == (15, 15)
    assert findings() == set()


@pytest.mark.parametrize("without", ["", "lock"])
def test_refund_before_another_counts_against_it(unsafe_server, seller, bidder, without):
    order = paid(seller, bidder)
    first, second = (refund(unsafe_server.caller(seller), order, amount) for amount in ("15", "12"))
    (slow, _), (fast, answer) = interleave(first, second, without=without, stop=REFUND_WRITES)
    if not without:
        assert (slow, fast, answer["code"]) == (201, 409, "refund_too_large")
        assert counted(order) == (15, 15)
        assert findings() == set()
    else:
        # Each saw all of the 20 left: 27 will be refunded, and the payment counts only the last write.
        assert (slow, fast) == (201, 201)
        assert counted(order) == (15, 27)
        assert "15 payments count their refunds, and refund at most what came in" in findings()
