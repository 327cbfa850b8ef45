"""Without OFFLINE_PAYMENTS no listing, bid or purchase is accepted whose total no card can be charged."""

from decimal import Decimal

import pytest

from auctioncraft.core import card_amounts, money
from auctions.models import Bid, Product
from auctions.services import closing
from auctions.tests import auction_helpers
from payments.models import Order
from tests import factories
from tests.db_snapshot import assert_nothing_written

pytestmark = pytest.mark.django_db

DEAR = "The total with premium and shipping would be 1,000,000.00 USD. A card can be charged at most 999,999.99 USD."
CHEAP = "The total with premium and shipping would be 0.40 USD. A card can be charged at least 0.50 USD."
THIRD = "Cards take two decimals of KWD: the third one must be 0."


def listing(**fields):
    return {"name": "Lamp", "category": factories.category().pk, "starting_bid": "10", **fields}


@pytest.mark.parametrize(
    ("fields", "errors"),
    [
        ({"starting_bid": "0.40"}, {"starting_bid": [CHEAP]}),
        ({"starting_bid": "0.30", "shipping": "0.10"}, {"starting_bid": [CHEAP]}),
        ({"starting_bid": "1000000"}, {"starting_bid": [DEAR]}),
        ({"reserve_price": "999990", "shipping": "10"}, {"reserve_price": [DEAR]}),
        ({"buy_now_price": "999990", "shipping": "10"}, {"buy_now_price": [DEAR]}),
        ({"currency": "KWD", "starting_bid": "10.001"}, {"starting_bid": [THIRD]}),
        ({"currency": "KWD", "shipping": "1.005"}, {"shipping": [THIRD]}),
        ({"currency": "KWD", "bid_increment": "0.005"}, {"bid_increment": [THIRD]}),
    ],
)
def test_create_product_that_no_card_could_pay_is_refused(as_user, seller, settings, fields, errors):
    caller, body = as_user(seller), listing(**fields)
    with assert_nothing_written():
        answer = caller.post("/api/products/", body)
    assert (answer.status_code, answer.json()["code"], answer.json()["errors"]) == (400, "invalid", errors)
    settings.OFFLINE_PAYMENTS = True
    assert caller.post("/api/products/", body).status_code == 201


def test_edit_to_what_no_card_could_pay_is_refused(as_user, seller):
    product, caller = factories.product(seller, shipping=Decimal("0.30"), starting_bid=Decimal("0.30")), as_user(seller)
    with assert_nothing_written():
        answer = caller.patch(f"/api/products/{product.pk}/", {"shipping": "0.10"})
    assert (answer.status_code, answer.json()["errors"]) == (400, {"starting_bid": [CHEAP]})


@pytest.mark.parametrize(
    ("currency", "body", "errors"),
    [
        ("USD", {"amount": "999995"}, {"amount": [DEAR]}),
        ("USD", {"amount": "20", "max_amount": "999995"}, {"max_amount": [DEAR]}),
        ("KWD", {"amount": "50.001"}, {"amount": [THIRD]}),
        ("KWD", {"max_amount": "50.009"}, {"max_amount": [THIRD]}),
    ],
)
def test_bid_that_no_card_could_pay_is_refused(as_user, seller, bidder, settings, currency, body, errors):
    product, caller = factories.product(seller, currency=currency, shipping=Decimal(5)), as_user(bidder)
    with assert_nothing_written():
        for path in ("bids/", "bids/preview/"):
            answer = caller.post(f"/api/products/{product.pk}/{path}", body)
            assert (answer.status_code, answer.json()["code"], answer.json()["errors"]) == (400, "invalid", errors)
    settings.OFFLINE_PAYMENTS = True
    assert caller.post(f"/api/products/{product.pk}/bids/", body).status_code == 201


def test_bid_is_refused_for_its_premium(as_user, seller, bidder, settings):
    settings.BUYERS_PREMIUM_BANDS = ((Decimal(0), Decimal(10)),)
    product, caller = factories.product(seller), as_user(bidder)
    assert caller.post(f"/api/products/{product.pk}/bids/", {"amount": "909090.91"}).status_code == 400
    assert caller.post(f"/api/products/{product.pk}/bids/", {"amount": "909090.90"}).status_code == 201
    assert Bid.objects.count() == 1


@pytest.mark.parametrize("amount", ["5.13", "5.14", "5.15", "5.16", "5.17", "5.18", "5.19", "5.21"])
def test_premium_in_dinars_is_rounded_to_what_a_card_can_pay(seller, bidder, settings, amount):
    settings.BUYERS_PREMIUM_BANDS = ((Decimal(0), Decimal(10)),)
    product = factories.product(seller, currency="KWD")
    auction_helpers.bid(product, bidder, amount)
    closing.close_auction(product_id=product.pk, actor=seller)
    order = Order.objects.get()
    assert card_amounts.can_charge(amount=order.total, currency="KWD"), order.total


@pytest.mark.parametrize("currency", sorted(money.CURRENCIES))
def test_create_product_at_a_thousand_is_accepted_in_every_currency(as_user, seller, currency):
    answer = as_user(seller).post("/api/products/", listing(currency=currency, starting_bid="1000"))
    assert (answer.status_code, Product.objects.get().currency) == (201, currency)
