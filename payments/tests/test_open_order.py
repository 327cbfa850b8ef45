"""A sale opens an order."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction

from auctioncraft.core import clock
from auctions.models import Auction
from auctions.services import bidding, closing
from payments.models import Order
from payments.services import orders
from payments.signals import order_opened
from payments.tests.conftest import sell
from tests import factories

pytestmark = pytest.mark.django_db


def test_sale_opens_the_winners_order(seller, bidder):
    product = sell(seller, bidder, "19.99", shipping=Decimal("4.50"))
    auction = Auction.objects.get(pk=product.pk)
    order = Order.objects.values().get()
    assert order == {
        "id": order["id"],
        "product_id": product.pk,
        "buyer_id": bidder.pk,
        "seller_id": seller.pk,
        "currency": "USD",
        "hammer_price": Decimal("19.99"),
        "buyers_premium": Decimal(0),
        "shipping": Decimal("4.50"),
        "total": Decimal("24.49"),
        "status": "awaiting_payment",
        "due_at": auction.closed_at + timedelta(hours=96),
        "created_at": auction.closed_at,
        "paid_at": None,
        "expired_at": None,
        "reminders_sent": 0,
        "refunded": Decimal(0),
        "auto_charge": "",
        "attempts": 0,
        "last_attempt_at": None,
        "next_attempt_at": order["next_attempt_at"],
        "last_error": "",
        "lease": None,
    }
    assert order["next_attempt_at"] <= clock.now(), "a job may work on it at once"


def test_sale_adds_the_buyers_premium(seller, bidder, settings):
    settings.BUYERS_PREMIUM_BANDS = ((Decimal(0), Decimal(25)),)
    order = Order.objects.get(product=sell(seller, bidder, "19.99"))
    assert (order.buyers_premium, order.total) == (Decimal("5.00"), Decimal("24.99"))


def test_close_without_sale_opens_no_order(seller):
    closing.close_auction(product_id=factories.product(seller).pk, actor=seller)
    assert not Order.objects.exists()


def test_open_order_twice_opens_one(order, product):
    with transaction.atomic():
        auction = Auction.objects.select_related("product").get(pk=product.pk)
        again = orders.open_order(auction=auction, terms=product.sale_terms(), at=clock.now())
    assert (again, Order.objects.count()) == (order, 1)


def test_open_order_of_unsold_product_raises(seller):
    product = factories.product(seller)
    with pytest.raises(ValueError, match="not sold"):
        orders.open_order(auction=product.auction, terms=product.sale_terms(), at=clock.now())


def test_open_order_sends_its_signal_once(seller, bidder):
    heard = []

    def listen(order, **_):
        heard.append(order.total)

    order_opened.connect(listen)
    try:
        sell(seller, bidder)
    finally:
        order_opened.disconnect(listen)
    assert heard == [Decimal("19.99")]


@pytest.mark.django_db(transaction=True)
def test_open_order_whose_receiver_fails_rolls_the_close_back(seller, bidder):
    def fail(**_):
        raise RuntimeError

    product = factories.product(seller)
    bidding.place_bid(product_id=product.pk, bidder_id=bidder.pk, amount=Decimal(5))
    order_opened.connect(fail)
    try:
        with pytest.raises(RuntimeError):
            closing.close_auction(product_id=product.pk, actor=seller)
    finally:
        order_opened.disconnect(fail)
    assert (Auction.objects.get(pk=product.pk).status, Order.objects.count()) == ("open", 0)
