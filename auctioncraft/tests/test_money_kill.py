"""`kill -9` of the web server between Stripe's answer and our commit: nothing is lost, nothing is done twice.

The moment is held open: the test locks the order, so the server has Stripe's answer and cannot write it down.
"""

import threading
from datetime import timedelta

import pytest
import requests
from django.db import connection, transaction

from auctioncraft import clock
from auctioncraft.tests import factories, servers
from auctioncraft.tests.paying_house import KEY, PayingHouse, quietly
from payments.models import Order, Payment, Refund

pytestmark = pytest.mark.servers


@pytest.fixture
def paying(house):
    """Every POST takes Stripe half a second: time to lock what the answer is to be written to."""
    return PayingHouse(house, STRIPE_DOUBLE_LATENCY="0.5")


@pytest.fixture
def order(paying):
    return paying.sale(factories.user("seller@example.com"), factories.user("bidder@example.com"))


def killed_after_stripes_answer(paying, web, call, *, asked, answered, order):
    """Make a call; kill the server once Stripe has answered what was asked, while the answer waits for the order."""
    caller = threading.Thread(target=quietly, args=(call,), daemon=True)
    caller.start()
    servers.until(asked, every=0.005, says="our side wrote nothing before it asked")
    connection.close()
    with transaction.atomic():
        Order.objects.locked(order.pk)
        servers.until(answered, says="Stripe was not asked")
        assert caller.is_alive(), "the call was answered before the kill"
        servers.kill(web)
    caller.join(servers.READY)


def test_killed_while_an_intent_is_written_down_the_next_call_finds_it(paying, order):
    web = paying.house.serve(paying.web)
    caller = paying.house.caller(paying.web, order.buyer)
    killed_after_stripes_answer(
        paying,
        web,
        lambda: paying.checkout(caller, order),
        asked=Payment.objects.filter(order=order).exists,
        answered=lambda: paying.list("payment_intents"),
        order=order,
    )
    payment = Payment.objects.get()
    assert (payment.status, payment.intent_id) == ("creating", None)

    paying.house.serve(paying.web)
    status, answer = paying.checkout(caller, order)
    [made] = paying.list("payment_intents")
    assert (status, answer["payment_intent_id"]) == (200, made["id"])
    paying.pay(made["id"])
    servers.until(Order.objects.filter(status="paid").exists, says="the webhook did not come")
    assert Payment.objects.get().received == order.total
    paying.house.assert_invariants()


def test_killed_while_an_intent_is_written_down_reconciliation_finds_it(paying, order):
    web = paying.house.serve(paying.web)
    caller = paying.house.caller(paying.web, order.buyer)
    killed_after_stripes_answer(
        paying,
        web,
        lambda: paying.checkout(caller, order),
        asked=Payment.objects.filter(order=order).exists,
        answered=lambda: paying.list("payment_intents"),
        order=order,
    )
    # As old as what nobody is working on any more.
    Payment.objects.update(created_at=clock.now() - timedelta(minutes=10))

    done = paying.house.manage("reconcile")
    assert done.returncode == 0, done.stdout + done.stderr
    [made] = paying.list("payment_intents")
    assert list(Payment.objects.values_list("intent_id", "status")) == [(made["id"], "open")]
    paying.house.assert_invariants()


def test_killed_while_a_refund_is_written_down_it_is_made_once(paying, order):
    web = paying.house.serve(paying.web)
    buyer, seller = (paying.house.caller(paying.web, user) for user in (order.buyer, order.seller))
    _, opened = paying.checkout(buyer, order)
    paying.pay(opened["payment_intent_id"])
    servers.until(Order.objects.filter(status="paid").exists, says="the webhook did not come")

    # Stripe tells of the refund as well: that it was made must not be learnt twice.
    path = f"/api/payments/orders/{order.pk}/refund/"
    killed_after_stripes_answer(
        paying,
        web,
        lambda: seller.post(path, {"amount": "5.00"}),
        asked=Refund.objects.exists,
        answered=lambda: paying.list("refunds"),
        order=order,
    )
    assert list(Refund.objects.values_list("status", "refund_id")) == [("creating", None)]

    paying.house.serve(paying.web)
    paying.house.work()
    servers.until(Refund.objects.filter(status="succeeded").exists, says="nobody sent the refund again")
    [made] = paying.list("refunds")
    refund = Refund.objects.get()
    assert (refund.refund_id, refund.amount, made["amount"]) == (made["id"], 5, 500)
    order.refresh_from_db()
    assert (order.status, order.refunded) == ("paid", 5)
    paying.house.assert_invariants()


def test_killed_while_a_webhook_is_acted_on_the_money_counts_once(paying, order):
    web = paying.house.serve(paying.web)
    caller = paying.house.caller(paying.web, order.buyer)
    _, opened = paying.checkout(caller, order)
    connection.close()
    with transaction.atomic():
        Order.objects.locked(order.pk)
        paying.pay(opened["payment_intent_id"])
        events = f"{paying.stripe}/v1/events?type=payment_intent.succeeded"
        servers.until(lambda: requests.get(events, auth=KEY, timeout=30).json()["data"])
        servers.kill(web)
    assert Order.objects.get().status == "awaiting_payment"

    paying.house.serve(paying.web)
    servers.until(Order.objects.filter(status="paid").exists, says="the event did not come again")
    payment = Payment.objects.get()
    assert (payment.status, payment.received) == ("succeeded", order.total)
    paying.house.assert_invariants()
