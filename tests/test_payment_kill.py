"""`kill -9` of the web server between Stripe's answer and our commit: nothing is lost or done twice.

The test locks the order, so that the server has Stripe's answer and cannot store it.
"""

import threading
from datetime import timedelta

import pytest
import requests
from django.db import connection, transaction

from auctioncraft.core import clock
from payments.models import Order, Payment, Refund
from tests import factories, servers
from tests.payment_stack import KEY, PaymentStack, quietly

pytestmark = [pytest.mark.nightly, pytest.mark.servers]


@pytest.fixture
def payment_stack(stack):
    """Each POST to Stripe takes half a second: time to lock the row of the answer."""
    return PaymentStack(stack, STRIPE_DOUBLE_LATENCY="0.5")


@pytest.fixture
def order(payment_stack):
    return payment_stack.sale(factories.user("seller@example.com"), factories.user("bidder@example.com"))


def killed_after_stripes_answer(payment_stack, web, call, *, asked, answered, order):
    """Make a call; kill the server after Stripe has answered, while the server waits for the locked order."""
    caller = threading.Thread(target=quietly, args=(call,), daemon=True)
    caller.start()
    servers.wait_until(asked, every=0.005, says="our side wrote nothing before it asked")
    connection.close()
    with transaction.atomic():
        Order.objects.locked(order.pk)
        servers.wait_until(answered, says="Stripe was not asked")
        assert caller.is_alive(), "the call was answered before the kill"
        servers.kill(web)
    caller.join(servers.READY_TIMEOUT)


def test_server_killed_while_storing_an_intent_next_call_finds_it(payment_stack, order):
    web = payment_stack.stack.serve(payment_stack.web)
    caller = payment_stack.stack.caller(payment_stack.web, order.buyer)
    killed_after_stripes_answer(
        payment_stack,
        web,
        lambda: payment_stack.checkout(caller, order),
        asked=Payment.objects.filter(order=order).exists,
        answered=lambda: payment_stack.list("payment_intents"),
        order=order,
    )
    payment = Payment.objects.get()
    assert (payment.status, payment.stripe_intent_id) == ("creating", None)

    payment_stack.stack.serve(payment_stack.web)
    status, answer = payment_stack.checkout(caller, order)
    [made] = payment_stack.list("payment_intents")
    assert (status, answer["payment_intent_id"]) == (200, made["id"])
    payment_stack.pay(made["id"])
    servers.wait_until(Order.objects.filter(status="paid").exists, says="the webhook did not come")
    assert Payment.objects.get().received == order.total
    payment_stack.stack.assert_invariants()


def test_server_killed_while_storing_an_intent_reconciliation_finds_it(payment_stack, order):
    web = payment_stack.stack.serve(payment_stack.web)
    caller = payment_stack.stack.caller(payment_stack.web, order.buyer)
    killed_after_stripes_answer(
        payment_stack,
        web,
        lambda: payment_stack.checkout(caller, order),
        asked=Payment.objects.filter(order=order).exists,
        answered=lambda: payment_stack.list("payment_intents"),
        order=order,
    )
    # Older than any call that is still running.
    Payment.objects.update(created_at=clock.now() - timedelta(minutes=10))

    done = payment_stack.stack.manage("reconcile")
    assert done.returncode == 0, done.stdout + done.stderr
    [made] = payment_stack.list("payment_intents")
    assert list(Payment.objects.values_list("stripe_intent_id", "status")) == [(made["id"], "open")]
    payment_stack.stack.assert_invariants()


def test_server_killed_while_storing_a_refund_makes_it_once(payment_stack, order):
    web = payment_stack.stack.serve(payment_stack.web)
    buyer, seller = (payment_stack.stack.caller(payment_stack.web, user) for user in (order.buyer, order.seller))
    _, opened = payment_stack.checkout(buyer, order)
    payment_stack.pay(opened["payment_intent_id"])
    servers.wait_until(Order.objects.filter(status="paid").exists, says="the webhook did not come")

    # Stripe sends an event about the refund too; it must not count twice.
    path = f"/api/payments/orders/{order.pk}/refund/"
    killed_after_stripes_answer(
        payment_stack,
        web,
        lambda: seller.post(path, {"amount": "5.00"}),
        asked=Refund.objects.exists,
        answered=lambda: payment_stack.list("refunds"),
        order=order,
    )
    assert list(Refund.objects.values_list("status", "stripe_refund_id")) == [("creating", None)]

    payment_stack.stack.serve(payment_stack.web)
    payment_stack.stack.work()
    servers.wait_until(Refund.objects.filter(status="succeeded").exists, says="nobody sent the refund again")
    [made] = payment_stack.list("refunds")
    refund = Refund.objects.get()
    assert (refund.stripe_refund_id, refund.amount, made["amount"]) == (made["id"], 5, 500)
    order.refresh_from_db()
    assert (order.status, order.refunded) == ("paid", 5)
    payment_stack.stack.assert_invariants()


def test_server_killed_while_processing_a_webhook_counts_the_money_once(payment_stack, order):
    web = payment_stack.stack.serve(payment_stack.web)
    caller = payment_stack.stack.caller(payment_stack.web, order.buyer)
    _, opened = payment_stack.checkout(caller, order)
    connection.close()
    with transaction.atomic():
        Order.objects.locked(order.pk)
        payment_stack.pay(opened["payment_intent_id"])
        events = f"{payment_stack.stripe}/v1/events?type=payment_intent.succeeded"
        servers.wait_until(lambda: requests.get(events, auth=KEY, timeout=30).json()["data"])
        servers.kill(web)
    assert Order.objects.get().status == "awaiting_payment"

    payment_stack.stack.serve(payment_stack.web)
    servers.wait_until(Order.objects.filter(status="paid").exists, says="the event did not come again")
    payment = Payment.objects.get()
    assert (payment.status, payment.received) == ("succeeded", order.total)
    payment_stack.stack.assert_invariants()
