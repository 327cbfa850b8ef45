"""`kill -9` of the worker between the charge of a winner's card at Stripe and our commit."""

import pytest
from django.db import connection, transaction

from payments.models import Customer, Order, SavedCard
from payments.tests.conftest import make_due
from tests import factories, servers
from tests.payment_stack import PaymentStack

pytestmark = [pytest.mark.nightly, pytest.mark.servers]

JOB = ("django", "shell", "-c", "from payments.services.auto_charge import charge_winners; charge_winners()")


@pytest.fixture
def payment_stack(stack, settings):
    """Each POST to Stripe takes half a second: time to lock the row of the answer."""
    settings.AUTO_CHARGE = True
    stack.environment["AUTO_CHARGE"] = "on"
    return PaymentStack(stack, STRIPE_DOUBLE_LATENCY="0.5")


@pytest.fixture
def order(payment_stack):
    buyer = factories.user("bidder@example.com", has_card=True)
    made = payment_stack.post("/v1/customers", **{"metadata[user]": buyer.pk})["id"]
    saved = payment_stack.post("/v1/setup_intents", customer=made, payment_method="pm_card_visa", confirm="true")
    Customer.objects.create(user=buyer, stripe_customer_id=made)
    face = {"brand": "visa", "last4": "4242", "exp_month": 12, "exp_year": 2040}
    SavedCard.objects.create(user=buyer, stripe_payment_method_id=saved["payment_method"], auto_charge=True, **face)
    return payment_stack.sale(factories.user("seller@example.com"), buyer)


def test_auto_charge_killed_after_the_charge_charges_once(payment_stack, order):
    assert order.auto_charge == "due"
    job = payment_stack.stack.start("job", *JOB)
    # The intent is stored; the charge is pending.
    servers.wait_until(order.payments.filter(status="open").exists, every=0.005, says=payment_stack.stack.log("job"))
    connection.close()
    with transaction.atomic():
        Order.objects.locked(order.pk)
        servers.wait_until(lambda: payment_stack.list("charges"), says="Stripe was not asked to charge")
        servers.kill(job)
    order.refresh_from_db()
    assert (order.status, order.auto_charge) == ("awaiting_payment", "due")

    make_due()  # the killed worker's lease is over
    again = payment_stack.stack.start("job", *JOB)
    assert again.wait(servers.READY_TIMEOUT) == 0, payment_stack.stack.log("job")
    order.refresh_from_db()
    [charge] = payment_stack.list("charges")
    assert (order.status, order.auto_charge, charge["amount"]) == ("paid", "done", 1999)
    payment_stack.stack.assert_invariants()
