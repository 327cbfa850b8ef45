"""A Stripe that accepts connections and never answers, with 50 rows waiting in every job: one time-out for each run."""

from __future__ import annotations

import socket
from datetime import timedelta
from decimal import Decimal

import pytest

from auctioncraft.core import clock
from payments.models import (
    Customer,
    Order,
    Payment,
    Payout,
    Refund,
    SavedCard,
    SellerAccount,
    StripeEvent,
    TransferReversal,
)
from payments.services import auto_charge, customers, expiry, refunds, transfers, webhooks
from payments.tests.conftest import build_event, make_due
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)

ROWS = 50


@pytest.fixture
def connections(settings):
    """The connections to a Stripe that does not answer; listening is enough for them to be accepted."""
    with socket.create_server(("127.0.0.1", 0), backlog=ROWS) as server:
        server.setblocking(False)
        settings.STRIPE_API_BASE = f"http://127.0.0.1:{server.getsockname()[1]}"
        settings.STRIPE_TIMEOUT = 0.2
        settings.STRIPE_CONNECT = settings.AUTO_CHARGE = True
        yield lambda: sum(1 for _ in accepted(server))


def accepted(server):
    while True:
        try:
            connection, _ = server.accept()
        except BlockingIOError:
            return
        connection.close()
        yield


@pytest.fixture
def orders(order):
    """Fifty orders like `order`, of products of their own."""
    products = [factories.product(order.seller) for _ in range(ROWS - 1)]
    fields = {
        field: getattr(order, field)
        for field in ("buyer", "seller", "currency", "hammer_price", "buyers_premium", "shipping", "total", "due_at")
    }
    return [order, *Order.objects.bulk_create(Order(product=product, **fields) for product in products)]


def paid(orders):
    now = clock.now()
    Order.objects.update(status="paid", paid_at=now)
    return Payment.objects.bulk_create(
        Payment(
            order=order, amount=order.total, currency="USD", received=order.total, received_currency="USD",
            status="succeeded", succeeded_at=now, stripe_intent_id=f"pi_{order.pk}",
        )
        for order in orders
    )  # fmt: skip


def payouts(orders, **fields):
    SellerAccount.objects.get_or_create(
        user=orders[0].seller, stripe_account_id="acct_1", transfers_active=True, payouts_enabled=True
    )
    share = {"currency": "USD", "route": "transfer", "fee": Decimal(0), **fields}
    return Payout.objects.bulk_create(
        Payout(order=order, seller=order.seller, gross=order.total, amount=order.total, **share) for order in orders
    )


def wait_for_refunds(orders):
    Refund.objects.bulk_create(
        Refund(payment=payment, amount=payment.received, currency="USD") for payment in paid(orders)
    )
    return refunds.send_due


def wait_for_transfers(orders):
    paid(orders)
    payouts(orders, status="due")
    return transfers.send_due_transfers


def wait_for_reversals(orders):
    paid(orders)
    made = payouts(orders, status="paid", paid_at=clock.now(), stripe_transfer_id="tr_1")
    TransferReversal.objects.bulk_create(TransferReversal(payout=payout, amount=1) for payout in made)
    return transfers.send_due_reversals


def wait_for_events(orders):
    for payment in paid(orders):
        payload = build_event({"id": payment.stripe_intent_id}, "payment_intent.processing", f"evt_{payment.pk}")
        StripeEvent.objects.create(id=payload["id"], type=payload["type"], payload=payload)
    return webhooks.process_due


def wait_for_expiry(orders):
    Order.objects.update(due_at=clock.now() - timedelta(hours=1))
    open_payments(orders)
    return expiry.expire_due


def wait_for_cancellation(orders):
    Order.objects.update(status="expired", expired_at=clock.now())
    open_payments(orders)
    return expiry.cancel_stale_intents


def open_payments(orders):
    Payment.objects.bulk_create(
        Payment(order=order, amount=order.total, currency="USD", status="open", stripe_intent_id=f"pi_{order.pk}")
        for order in orders
    )


def wait_for_auto_charge(orders):
    buyer = orders[0].buyer
    Customer.objects.create(user=buyer, stripe_customer_id="cus_1")
    face = {"brand": "visa", "last4": "4242", "exp_month": 1, "exp_year": 2040}
    SavedCard.objects.create(user=buyer, stripe_payment_method_id="pm_1", auto_charge=True, **face)
    Order.objects.update(auto_charge="due", created_at=clock.now())
    return auto_charge.charge_winners


def wait_for_deletion(orders):
    users = [factories.user(f"erased-{number}@example.com") for number in range(ROWS)]
    Customer.objects.bulk_create(
        Customer(user=user, stripe_customer_id=f"cus_{user.pk}", to_delete=True) for user in users
    )
    return customers.delete_due


@pytest.mark.parametrize(
    "wait",
    [
        wait_for_refunds,
        wait_for_transfers,
        wait_for_reversals,
        wait_for_events,
        wait_for_expiry,
        wait_for_cancellation,
        wait_for_auto_charge,
        wait_for_deletion,
    ],
    ids=lambda wait: wait.__name__.removeprefix("wait_for_"),
)
def test_job_with_fifty_rows_waits_for_a_hanging_stripe_once(orders, connections, wait):
    job = wait(orders)
    make_due()
    assert (job(), connections()) == (0, 1)
    assert (job(), connections()) == (0, 1)  # the next run begins with another row
