"""An order expires while its payment arrives: it is paid, or it is expired and the money is surplus."""

import json
import random
import time

import pytest
import stripe

from auctioncraft.core import clock
from auctions.services import closing
from auctions.tests import auction_helpers
from payments.models import Order, Payment
from payments.services.expiry import MAX_WAIT, expire_due
from tests import factories
from tests.races.harness import at_once, findings, interleave, job

pytestmark = pytest.mark.servers

ROUNDS = 15
SECRET = "whsec_double"  # the servers'
PAID_WRITES = 'UPDATE "payments_(payment|order)"'
EXPIRY_WRITES = 'UPDATE "payments_(payment|order)" SET "status"'  # not the claim's


def overdue(seller, bidder):
    """Return an overdue order with an intent that can still be paid, past the grace period for Stripe."""
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, "19.99")
    closing.close_auction(product_id=product.pk, actor=seller)
    Order.objects.filter(product=product).update(due_at=clock.now() - MAX_WAIT)
    order = Order.objects.get(product=product)
    Payment.objects.create(
        order=order, stripe_intent_id=f"pi_{order.pk}", amount=order.total, currency=order.currency, status="open"
    )
    return order


def webhook(caller, order):
    """Return the call of the webhook for the succeeded payment."""
    intent = {
        "object": "payment_intent",
        "id": f"pi_{order.pk}",
        "status": "succeeded",
        "amount": 1999,
        "amount_received": 1999,
        "currency": "usd",
        "livemode": False,
    }
    event = {
        "id": f"evt_{order.pk}",
        "object": "event",
        "type": "payment_intent.succeeded",
        "livemode": False,
        "data": {"object": intent},
    }

    def deliver(**headers):
        sent = stripe.WebhookSignature.generate_signature_header(json.dumps(event), SECRET, int(time.time()))
        return caller.send("POST", "/api/stripe/webhook/", event, **headers, **{"Stripe-Signature": sent})

    return deliver


def assert_paid_or_expired(order, *, expired):
    order.refresh_from_db()
    order.product.auction.refresh_from_db()
    auction, money = order.product.auction, order.payments.get().status
    if expired:
        assert (order.status, money, auction.payment_defaulted_at is not None) == ("expired", "surplus", True)
    else:
        assert (order.status, money, auction.paid_at is not None) == ("paid", "succeeded", True)


def test_payment_and_expiry_at_once_do_one(server, seller):
    chance, stripe_itself = random.Random(3), server.caller(None)
    for number in range(ROUNDS):
        buyer = factories.user(f"buyer{number}@example.com")
        order = overdue(seller, buyer)
        delay = chance.random() / 50  # the payment has the longer way

        def expire(delay=delay):
            time.sleep(delay)
            return expire_due()

        (status, _), *expired = at_once(webhook(stripe_itself, order), *[job(expire)] * 2)
        assert (status, sum(expired) <= 1) == (200, True)
        # The job also counts an order that it finds paid.
        order.refresh_from_db()
        is_expired = order.status == "expired"
        assert_paid_or_expired(order, expired=is_expired)
        buyer.refresh_from_db()
        assert buyer.strikes == is_expired
    assert findings() == set()


@pytest.mark.parametrize("without", ["", "lock"])
def test_payment_before_expiry_keeps_the_order_paid(unsafe_server, seller, bidder, without):
    order = overdue(seller, bidder)
    (status, _), expired = interleave(
        webhook(unsafe_server.caller(None), order), job(expire_due), without=without, stop=PAID_WRITES
    )
    if not without:
        assert (status, expired) == (200, 0)
        assert_paid_or_expired(order, expired=False)
        assert findings() == set()
    else:
        assert (status, expired) == (500, 1)


@pytest.mark.parametrize("without", ["", "lock"])
def test_expiry_before_a_payment_makes_it_surplus(unsafe_server, seller, bidder, caplog, without):
    order = overdue(seller, bidder)
    expired, (status, _) = interleave(
        job(expire_due), webhook(unsafe_server.caller(None), order), without=without, stop=EXPIRY_WRITES
    )
    assert status == 200
    if not without:
        assert expired == 1
        assert_paid_or_expired(order, expired=True)
        assert findings() == set()
    else:
        # A constraint prevents a paid order from expiring.
        assert expired == 0
        assert "order_paid_at_iff_paid" in caplog.text
