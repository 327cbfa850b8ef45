"""CARD_REQUIRED_ABOVE: amounts that need a card on file. Off by default."""

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.services import bidder_status
from auctions.models import Auction, Bid
from auctions.services import second_chance
from auctions.tests import auction_helpers
from tests import factories
from tests.time_travel import let_order_expire

pytestmark = pytest.mark.django_db
REFUSED = {
    "code": "card_required",
    "detail": "Add a card to bid this amount.",
    "above": "100.00",
    "currency": "USD",
}


@pytest.fixture(autouse=True)
def _policy(settings):
    settings.CARD_REQUIRED_ABOVE = {"USD": Decimal(100), "JPY": Decimal(0)}


def with_card(user):
    bidder_status.set_has_card(user_id=user.pk, has_card=True)


@pytest.fixture
def product(seller):
    return factories.product(seller, buy_now_price=Decimal(150))


@pytest.fixture
def caller(as_user, bidder):
    return as_user(bidder)


def bid(caller, product, **offer):
    return caller.post(f"/api/products/{product.pk}/bids/", offer)


@pytest.mark.parametrize(
    "offer", [{"amount": "100.01"}, {"max_amount": "100.01"}, {"amount": "5", "max_amount": "101"}], ids=str
)
def test_bid_above_the_limit_without_card_is_refused(caller, bidder, product, offer):
    answer = bid(caller, product, **offer)
    assert (answer.status_code, answer.json()) == (403, REFUSED)
    assert not Bid.objects.exists()
    with_card(bidder)
    assert bid(caller, product, **offer).status_code == 201


@pytest.mark.parametrize("offer", [{"amount": "100"}, {"max_amount": "100.00"}], ids=str)
def test_bid_up_to_the_limit_needs_no_card(caller, product, offer):
    assert bid(caller, product, **offer).status_code == 201


def test_bid_without_a_limit_needs_no_card(caller, product, settings):
    settings.CARD_REQUIRED_ABOVE = {}
    assert bid(caller, product, amount="5000").status_code == 201


def test_card_limit_is_per_currency(caller, seller):
    euros, yen = (factories.product(seller, currency=name, starting_bid=Decimal(50)) for name in ("EUR", "JPY"))
    assert bid(caller, euros, amount="5000").status_code == 201
    assert bid(caller, yen, amount="50").json() == {**REFUSED, "above": "0", "currency": "JPY"}


def test_card_required_comes_after_other_refusals(caller, bidder, seller, as_user, product, settings):
    assert bid(as_user(seller), product, amount="500").json()["code"] == "seller_cannot_bid"
    dear = factories.product(seller, starting_bid=Decimal(900))
    assert bid(caller, dear, amount="500").json()["code"] == "bid_too_low"
    settings.STRIKES_BEFORE_BAN = 0
    assert bid(caller, product, amount="500").json()["code"] == "bidder_suspended"


def test_bid_after_the_card_was_removed_is_refused(caller, bidder, product):
    with_card(bidder)
    assert bid(caller, product, amount="101").status_code == 201
    bidder_status.set_has_card(user_id=bidder.pk, has_card=False)
    assert bid(caller, product, max_amount="500").json() == REFUSED


def test_preview_above_the_limit_reports_card_required(caller, bidder, product):
    def preview():
        return caller.post(f"/api/products/{product.pk}/bids/preview/", {"max_amount": "101"}).json()

    answer = preview()
    assert (answer["acceptable"], answer["code"], answer["detail"]) == (False, "card_required", REFUSED["detail"])
    with_card(bidder)
    assert (preview()["acceptable"], preview()["code"]) == (True, None)


def test_viewer_above_the_limit_reports_card_required(caller, bidder, rival, product):
    def viewer():
        answer = caller.get(f"/api/products/{product.pk}/").json()["viewer"]
        return answer["can_bid"], answer["reason"]

    assert viewer() == (True, None)
    auction_helpers.bid(product, rival, amount="100")
    assert viewer() == (False, "card_required")
    with_card(bidder)
    assert viewer() == (True, None)


def test_buy_now_above_the_limit_without_card_is_refused(caller, bidder, product):
    answer = caller.post(f"/api/products/{product.pk}/buy_now/", {"price": str(product.buy_now_price)})
    assert (answer.status_code, answer.json()) == (403, REFUSED)
    assert Auction.objects.get().status == "open"
    with_card(bidder)
    assert caller.post(f"/api/products/{product.pk}/buy_now/", {"price": str(product.buy_now_price)}).status_code == 200


def test_second_chance_above_the_limit_without_card_is_refused(caller, bidder, rival, seller, settings):
    product = factories.product(seller)
    limits, settings.CARD_REQUIRED_ABOVE = settings.CARD_REQUIRED_ABOVE, {}
    auction_helpers.bid(product, bidder, "200")
    auction_helpers.bid(product, rival, "300")
    let_order_expire(product, seller)
    second_chance.offer(product_id=product.pk, actor=seller)
    settings.CARD_REQUIRED_ABOVE = limits
    address = f"/api/products/{product.pk}/accept_second_chance/"
    assert caller.post(address).json() == REFUSED
    with_card(bidder)
    assert caller.post(address).status_code == 200


def test_card_limit_adds_no_query_to_a_bid(caller, bidder, product, settings):
    def cost(amount):
        with CaptureQueriesContext(connection) as made:
            assert bid(caller, product, max_amount=amount).status_code == 201
        return len(made)

    with_card(bidder)
    cost("10")
    with_policy = cost("101")
    settings.CARD_REQUIRED_ABOVE = {}
    assert cost("102") == with_policy
