"""Who gets the second chance after a winner did not pay."""

from decimal import Decimal

import pytest

from accounts.models import User
from auctions.models import Auction, AuctionEvent, Bid
from auctions.services import buying, closing, second_chance, voiding
from auctions.tests import auction_helpers
from payments.models import Order
from payments.services import expiry
from tests import factories
from tests.db_snapshot import assert_nothing_written
from tests.time_travel import advance_time, let_order_expire

pytestmark = pytest.mark.django_db

UNAVAILABLE = {
    "code": "second_chance_unavailable",
    "detail": "There is no bidder to offer this product to.",
}


def url(product):
    return f"/api/products/{product.pk}/offer_second_chance/"


@pytest.fixture
def third(db):
    """A third bidder."""
    return factories.user("third@example.com")


@pytest.fixture
def product(seller, bidder, rival, third):
    """A product won by `bidder` for 50 and not paid; `rival` offered 49.50, `third` 20."""
    product = factories.product(seller, shipping=Decimal(5))
    auction_helpers.bid(product, third, "20")
    auction_helpers.bid(product, rival, max_amount="49.50")
    auction_helpers.bid(product, bidder, "50")
    let_order_expire(product, seller)
    return product


def test_offers_go_to_one_bidder_after_the_other(as_user, seller, bidder, rival, third, product):
    caller, offered = as_user(seller), []
    for how in ("decline", "lapse"):
        answer = caller.post(url(product))
        offered.append((answer.json()["bidder"], answer.json()["amount"]))
        with assert_nothing_written():
            again = caller.post(url(product))
        assert (again.status_code, again.json()) == (409, UNAVAILABLE)
        if how == "decline":
            second_chance.decline(product_id=product.pk, bidder=rival)
        else:
            advance_time(product, hours=24)
            second_chance.lapse_due()
    assert offered == [(product.alias_of(rival.pk), "20.50"), (product.alias_of(third.pk), "20.00")]
    with assert_nothing_written():
        answer = caller.post(url(product))
    assert (answer.status_code, answer.json()) == (409, UNAVAILABLE)


def test_bidder_who_accepts_and_does_not_pay_gets_a_strike_and_no_offer(seller, bidder, rival, third, product):
    second_chance.offer(product_id=product.pk, actor=seller)
    second_chance.accept(product_id=product.pk, bidder=rival)
    advance_time(product, hours=96)
    assert expiry.expire_due() == 1
    rival.refresh_from_db()
    assert (rival.strikes, AuctionEvent.objects.last().private["buyer"]) == (1, rival.pk)
    assert second_chance.offer(product_id=product.pk, actor=seller).bidder == third
    second_chance.accept(product_id=product.pk, bidder=third)
    auction = Auction.objects.get()
    assert (auction.winner, auction.hammer_price, Order.objects.count()) == (third, 20, 3)
    kinds = AuctionEvent.objects.filter(product=product).order_by("seq").values_list("kind", flat=True)
    assert list(kinds) == [
        *("bid_placed", "bid_placed", "bid_placed", "closed", "sale_fell_through"),
        *("second_chance_offered", "second_chance_accepted", "sale_fell_through"),
        *("second_chance_offered", "second_chance_accepted"),
    ]


@pytest.mark.parametrize("why", ["suspended", "inactive", "voided", "void for the most part"])
def test_offer_skips_bidders_who_cannot_buy(seller, bidder, rival, third, staff, why):
    product = factories.product(seller)
    auction_helpers.bid(product, third, "20")
    auction_helpers.bid(product, rival, "25")
    made = auction_helpers.bid(product, rival, max_amount="40")
    auction_helpers.bid(product, bidder, "50")
    if why == "suspended":
        User.objects.filter(pk=rival.pk).update(strikes=3)
    elif why == "inactive":
        User.objects.filter(pk=rival.pk).update(is_active=False)
    else:
        ids = [made["bid"]["id"]]
        if why == "voided":
            ids.append(Bid.objects.get(bidder=rival, amount=25).pk)
        for bid_id in ids:
            voiding.void_bid(product_id=product.pk, bid_id=bid_id, actor=staff, reason="No.")
    let_order_expire(product, seller)
    found = second_chance.offer(product_id=product.pk, actor=seller)
    assert (found.bidder, found.amount) == ((rival, 25) if "most" in why else (third, 20))


def test_offer_with_equal_limits_goes_to_the_earlier(seller, bidder, rival, third):
    product = factories.product(seller)
    auction_helpers.bid(product, third, "20")
    auction_helpers.bid(product, rival, max_amount="40")
    auction_helpers.bid(product, third, max_amount="40")
    auction_helpers.bid(product, bidder, max_amount="200")
    let_order_expire(product, seller)
    assert second_chance.offer(product_id=product.pk, actor=seller).bidder == rival
    second_chance.decline(product_id=product.pk, bidder=rival)
    assert second_chance.offer(product_id=product.pk, actor=seller).bidder == third


def test_offer_compares_amounts_as_numbers(seller, bidder, rival, third):
    product = factories.product(seller)
    auction_helpers.bid(product, rival, "9.50")
    auction_helpers.bid(product, third, "100")
    auction_helpers.bid(product, bidder, "1000")
    let_order_expire(product, seller)
    found = second_chance.offer(product_id=product.pk, actor=seller)
    assert (found.bidder, found.amount) == (third, 100)


def test_offer_counts_the_highest_limit_open_or_by_proxy(seller, bidder, rival, third):
    product = factories.product(seller)
    auction_helpers.bid(product, rival, "10", max_amount="44")
    auction_helpers.bid(product, bidder, max_amount="60")
    auction_helpers.bid(product, third, "46")
    auction_helpers.bid(product, bidder, max_amount="100")
    let_order_expire(product, seller)
    found = second_chance.offer(product_id=product.pk, actor=seller)
    assert (found.bidder, found.amount) == (third, 46)
    second_chance.decline(product_id=product.pk, bidder=third)
    found = second_chance.offer(product_id=product.pk, actor=seller)
    assert (found.bidder, found.amount) == (rival, 10)


def test_offer_after_unpaid_buy_now_goes_to_the_bidders(seller, bidder, rival):
    product = factories.product(seller, reserve_price=Decimal(50), buy_now_price=Decimal(90))
    auction_helpers.bid(product, rival, "30")
    buying.buy_now(product_id=product.pk, buyer=bidder, price=Decimal(90))
    let_order_expire(product, seller)
    found = second_chance.offer(product_id=product.pk, actor=seller)
    assert (found.bidder, found.amount) == (rival, 30)


def test_offer_after_unpaid_sale_below_reserve_goes_to_the_next(seller, bidder, rival):
    product = factories.product(seller, reserve_price=Decimal(50))
    auction_helpers.bid(product, rival, "20")
    auction_helpers.bid(product, bidder, "30")
    closing.close_auction(product_id=product.pk, actor=seller)
    closing.accept_below_reserve(product_id=product.pk, actor=seller)
    let_order_expire(product, seller)
    found = second_chance.offer(product_id=product.pk, actor=seller)
    assert (found.bidder, found.amount) == (rival, 20)


def test_offer_with_a_single_bidder_is_refused(as_user, seller, bidder):
    product, caller = factories.product(seller), as_user(seller)
    auction_helpers.bid(product, bidder, "30")
    let_order_expire(product, seller)
    with assert_nothing_written():
        answer = caller.post(url(product))
    assert (answer.status_code, answer.json()) == (409, UNAVAILABLE)
