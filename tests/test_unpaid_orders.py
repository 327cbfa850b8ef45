"""The limit of unpaid orders: one rule for bids, buy now, second chances, previews and `viewer`."""

from datetime import timedelta
from decimal import Decimal

import pytest

from accounts.models import User
from auctioncraft.core import clock
from auctions.services import second_chance
from auctions.tests import auction_helpers
from payments.models import Order
from payments.services import expiry
from tests import factories
from tests.db_snapshot import assert_nothing_written, broken_invariants
from tests.time_travel import advance_time, let_order_expire

pytestmark = pytest.mark.django_db

REFUSED = {
    "code": "unpaid_orders",
    "detail": "You have too many unpaid orders. Pay one of them to bid or buy again.",
    "unpaid_orders": 2,
    "max_unpaid_orders": 2,
}


@pytest.fixture(autouse=True)
def limits(settings):
    settings.MAX_UNPAID_ORDERS, settings.MAX_UNPAID_ORDERS_NEW = 2, 1


@pytest.fixture
def known(bidder):
    """An account that is older than a week, with a proved address."""
    old = clock.now() - timedelta(days=8)
    User.objects.filter(pk=bidder.pk).update(created_at=old, email_verified_at=old)
    bidder.refresh_from_db()
    return bidder


def offered(seller):
    return factories.product(seller, buy_now_price=Decimal(90))


def buy(caller, product):
    return caller.post(f"/api/products/{product.pk}/buy_now/", {"price": "90"})


def test_buying_and_bidding_ends_at_the_limit(as_user, seller, known):
    caller, third = as_user(known), offered(seller)
    path = f"/api/products/{third.pk}/"
    for _ in range(2):
        assert buy(caller, offered(seller)).status_code == 200
    with assert_nothing_written():
        for answer in (buy(caller, third), caller.post(f"{path}bids/", {"amount": "5"})):
            assert (answer.status_code, answer.json()) == (403, REFUSED)
        preview = caller.post(f"{path}bids/preview/", {"amount": "5"}).json()
        viewer = caller.get(path).json()["viewer"]
    assert (preview["acceptable"], preview["code"]) == (False, "unpaid_orders")
    assert (viewer["can_bid"], viewer["reason"]) == (False, "unpaid_orders")
    assert broken_invariants() == []


@pytest.mark.parametrize("why", ["young", "unproved"])
def test_new_account_may_have_one_unpaid_order(as_user, seller, known, why):
    fields = {"created_at": clock.now() - timedelta(days=6)} if why == "young" else {"email_verified_at": None}
    User.objects.filter(pk=known.pk).update(**fields)
    caller = as_user(known)
    answers = [buy(caller, offered(seller)) for _ in range(10)]
    assert [answer.status_code for answer in answers] == [200] + [403] * 9
    assert answers[1].json() == {**REFUSED, "unpaid_orders": 1, "max_unpaid_orders": 1}
    assert Order.objects.count() == 1


def test_unpaid_orders_are_counted_until_they_expire(as_user, seller, known):
    caller, products = as_user(known), [offered(seller) for _ in range(3)]
    for product in products[:2]:
        buy(caller, product)
    assert User.objects.get(pk=known.pk).unpaid_orders == 2
    advance_time(products[0], hours=96)
    expiry.expire_due()
    assert User.objects.get(pk=known.pk).unpaid_orders == 1
    assert broken_invariants() == []
    assert buy(caller, products[2]).status_code == 200


def test_second_chance_beyond_the_limit_is_neither_offered_nor_accepted(as_user, seller, known, rival):
    product = factories.product(seller)
    auction_helpers.bid(product, known, "20")
    auction_helpers.bid(product, rival, "30")
    let_order_expire(product, seller)
    caller = as_user(known)
    second_chance.offer(product_id=product.pk, actor=seller)
    for _ in range(2):
        buy(caller, offered(seller))
    answer = caller.post(f"/api/products/{product.pk}/accept_second_chance/")
    assert (answer.status_code, answer.json()) == (403, REFUSED)

    other = factories.product(seller)
    User.objects.filter(pk=known.pk).update(unpaid_orders=0)
    auction_helpers.bid(other, known, "20")
    User.objects.filter(pk=known.pk).update(unpaid_orders=2)
    factories.user("third@example.com")
    auction_helpers.bid(other, User.objects.get(email="third@example.com"), "30")
    let_order_expire(other, seller)
    refused = as_user(seller).post(f"/api/products/{other.pk}/offer_second_chance/")
    assert (refused.status_code, refused.json()["code"]) == (409, "second_chance_unavailable")


def test_defaulter_may_not_bid_on_the_relisted_product(as_user, seller, known, rival):
    product = factories.product(seller, buy_now_price=Decimal(90), reserve_price=Decimal(80))
    auction_helpers.bid(product, known, "85")
    let_order_expire(product, seller)
    sells, caller = as_user(seller), as_user(known)
    for _ in range(2):  # nor on one that is listed a third time
        again = sells.post(f"/api/products/{product.pk}/relist/").json()["id"]
        path = f"/api/products/{again}/"
        with assert_nothing_written():
            bid = caller.post(f"{path}bids/", {"amount": "85"})
            bought = caller.post(f"{path}buy_now/", {"price": "90"})
            assert caller.get(path).json()["viewer"]["reason"] == "defaulter_cannot_bid"
        for answer in (bid, bought):
            assert (answer.status_code, answer.json()["code"]) == (403, "defaulter_cannot_bid")
        product.pk = again
        assert sells.post(f"{path}close_auction/").status_code == 200
    assert as_user(rival).get(path).json()["viewer"]["reason"] == "auction_not_open"
