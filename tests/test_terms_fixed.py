"""PATCH /api/products/{id}/ of an auction that has started: a buyer pays what they saw."""

from datetime import timedelta
from decimal import Decimal

import pytest

from auctioncraft.core import clock
from auctions.models import Auction, Bid
from auctions.services import closing
from auctions.tests import auction_helpers
from payments.models import Order
from tests import factories
from tests.db_snapshot import assert_nothing_written, broken_invariants

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
FIXED = (409, "terms_fixed")


def url(product):
    return f"/api/products/{product.pk}/"


def refusal(answer):
    return answer.status_code, answer.json()["code"]


def soon():
    return clock.isoformat_utc(clock.now() + DAY)


@pytest.mark.parametrize(
    "changes",
    [{"currency": "JPY"}, {"shipping": "5.01"}, {"shipping": "4", "currency": "GBP"}, {"name": "A", "shipping": "900"}],
    ids=["currency", "shipping", "both", "beside another"],
)
def test_edit_of_started_auction_that_could_cost_a_buyer_more_is_refused(as_user, seller, staff, changes):
    product = factories.product(seller, shipping=Decimal(5), starting_bid=Decimal(100))
    for caller in (as_user(seller), as_user(staff)):
        with assert_nothing_written():
            assert refusal(caller.patch(url(product), changes)) == FIXED


def test_edit_of_started_auction_cannot_postpone_its_start(as_user, seller):
    product, caller = factories.product(seller), as_user(seller)
    with assert_nothing_written():
        assert refusal(caller.patch(url(product), {"starts_at": soon()})) == FIXED
    assert caller.patch(url(product), {"starts_at": clock.isoformat_utc(clock.now())}).status_code == 200


def test_edit_of_started_auction_may_lower_shipping_and_change_the_rest(as_user, seller):
    product = factories.product(seller, shipping=Decimal(5))
    changes = {"shipping": "4.99", "starting_bid": "7", "buy_now_price": "90", "reserve_price": "20", "name": "Lamp"}
    assert as_user(seller).patch(url(product), changes).status_code == 200
    product.refresh_from_db()
    assert (product.shipping, product.starting_bid, product.buy_now_price) == (Decimal("4.99"), 7, 90)


def test_edit_before_the_start_may_change_currency_and_shipping(as_user, seller):
    product = factories.product(seller, shipping=Decimal(5), starting_bid=Decimal(100))
    auction_helpers.move_start_to_tomorrow(product)
    assert as_user(seller).patch(url(product), {"currency": "JPY", "shipping": "900"}).status_code == 200


def test_preview_is_what_a_later_bid_comes_to_at_most(as_user, seller, bidder):
    product, sells, bids = factories.product(seller, shipping=Decimal("2.50")), as_user(seller), as_user(bidder)
    preview = bids.post(f"{url(product)}bids/preview/", {"amount": "5"}).json()["at_most"]
    assert preview["total"] == "7.50"
    assert refusal(sells.patch(url(product), {"shipping": "4996.10"})) == FIXED
    bids.post(f"{url(product)}bids/", {"amount": "5"})
    closing.close_auction(product_id=product.pk, actor=seller)
    assert Order.objects.get().total == Decimal("7.50")


@pytest.mark.parametrize(
    ("changes", "price", "shipping", "total"),
    [
        ({"shipping": "900"}, ["5.00", "USD"], "900.00", "905.00"),
        ({"currency": "KWD"}, ["5.000", "KWD"], "2.500", "7.500"),
    ],
    ids=["shipping", "currency"],
)
def test_bid_that_costs_more_than_its_bidder_saw_before_the_start_is_refused(
    as_user, seller, bidder, changes, price, shipping, total
):
    product, sells, bids = factories.product(seller, shipping=Decimal("2.50")), as_user(seller), as_user(bidder)
    auction_helpers.move_start_to_tomorrow(product)
    preview = bids.post(f"{url(product)}bids/preview/", {"max_amount": "5"}).json()
    seen = {"total": preview["at_most"]["total"], "currency": preview["currency"]}
    now = clock.isoformat_utc(clock.now())
    assert sells.patch(url(product), {**changes, "starts_at": now}).status_code == 200
    with assert_nothing_written():
        answer = bids.post(f"{url(product)}bids/", {"max_amount": "5", **seen})
    assert refusal(answer) == (409, "price_changed")
    shown = answer.json()
    assert ([shown["price"], shown["currency"]], shown["shipping"], shown["total"]) == (price, shipping, total)
    agreed = {"total": total, "currency": price[1].lower()}
    assert bids.post(f"{url(product)}bids/", {"max_amount": "5", **agreed}).status_code == 201


def test_bid_stores_the_terms_that_it_was_made_under(seller, bidder, rival, settings):
    settings.BUYERS_PREMIUM_BANDS = ((Decimal(0), Decimal(10)),)
    product = factories.product(seller, shipping=Decimal(5))
    auction_helpers.bid(product, bidder, max_amount="50")
    auction_helpers.bid(product, rival, "20")
    terms = {"currency": "USD", "shipping": "5.00", "premium_bands": [["0", "10"]]}
    stored = Bid.objects.order_by("version", "position").values_list("outcome", "terms")
    assert list(stored) == [("leading", terms), ("outbid", terms), ("automatic", None)]


def test_order_follows_the_terms_of_the_bid_and_not_those_of_the_product(seller, bidder):
    product = factories.product(seller, shipping=Decimal(5))
    auction_helpers.bid(product, bidder, "20")
    type(product).objects.update(shipping=Decimal(900), premium_bands=[["0", "50"]])
    closing.close_auction(product_id=product.pk, actor=seller)
    order = Order.objects.get()
    assert (order.buyers_premium, order.shipping, order.total) == (0, 5, 25)
    assert [line for line in broken_invariants() if "agreed" in line] == []
    assert Auction.objects.get().hammer_price == 20
