"""`kill -9` of the worker between Stripe's charge of a winner's card and our commit: charged once, and known."""

import pytest
from django.db import connection, transaction

from auctioncraft.tests import factories, servers
from auctioncraft.tests.paying_house import PayingHouse
from payments.models import Customer, Order, SavedCard

pytestmark = pytest.mark.servers

SWEEP = ("django", "shell", "-c", "from payments.services.auto_charge import charge_winners; charge_winners()")


@pytest.fixture
def paying(house, settings):
    """Every POST takes Stripe half a second: time to lock what the answer is to be written to."""
    settings.AUTO_CHARGE = True
    house.environment["AUTO_CHARGE"] = "on"
    return PayingHouse(house, STRIPE_DOUBLE_LATENCY="0.5")


@pytest.fixture
def order(paying):
    buyer = factories.user("bidder@example.com", has_card=True)
    made = paying.post("/v1/customers", **{"metadata[user]": buyer.pk})["id"]
    saved = paying.post("/v1/setup_intents", customer=made, payment_method="pm_card_visa", confirm="true")
    Customer.objects.create(user=buyer, customer_id=made)
    face = {"brand": "visa", "last4": "4242", "exp_month": 12, "exp_year": 2040}
    SavedCard.objects.create(user=buyer, payment_method_id=saved["payment_method"], charge_when_winning=True, **face)
    return paying.sale(factories.user("seller@example.com"), buyer)


def test_killed_after_the_charge_the_next_sweep_finds_it_paid(paying, order):
    assert order.auto_charge == "due"
    sweep = paying.house.start("sweep", *SWEEP)
    # Its intent is written down; the charge is under way, or about to be.
    servers.until(order.payments.filter(status="open").exists, every=0.005, says=paying.house.log("sweep"))
    connection.close()
    with transaction.atomic():
        Order.objects.locked(order.pk)
        servers.until(lambda: paying.list("charges"), says="Stripe was not asked to charge")
        servers.kill(sweep)
    order.refresh_from_db()
    assert (order.status, order.auto_charge) == ("awaiting_payment", "due")

    again = paying.house.start("sweep", *SWEEP)
    assert again.wait(servers.READY) == 0, paying.house.log("sweep")
    order.refresh_from_db()
    [charge] = paying.list("charges")
    assert (order.status, order.auto_charge, charge["amount"]) == ("paid", "done", 1999)
    paying.house.assert_invariants()
