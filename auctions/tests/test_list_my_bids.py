"""GET /api/bids/."""

from decimal import Decimal

import pytest
from django.utils import timezone

from auctioncraft.core import clock
from auctions.models import Bid
from auctions.services import closing, sale_outcome
from auctions.tests import auction_helpers
from tests import factories

pytestmark = pytest.mark.django_db
URL = "/api/bids/"


def test_my_bids_has_a_row_per_product_latest_bid_first(as_user, client, seller, bidder, rival):
    first, second = factories.product(seller), factories.product(seller)
    auction_helpers.bid(first, bidder, "5", max_amount="40")
    auction_helpers.bid(second, bidder, "5")
    auction_helpers.bid(second, rival, "10")
    auction_helpers.bid(first, bidder, max_amount="60")
    auction_helpers.bid(first, rival, "30")
    body = as_user(bidder).get(URL).json()
    row = body["results"][0]
    listed = client.get(f"/api/products/?search=&seller={seller.pk}").json()["results"][1]
    assert body["count"] == 2
    assert row == {
        "state": "leading",
        "my_maximum": "60.00",
        "my_last_bid_at": clock.isoformat_utc(Bid.objects.get(max_amount=60).placed_at),
        "product": {**listed, "server_time": row["product"]["server_time"]},
    }
    assert (body["results"][1]["state"], body["results"][1]["product"]["id"]) == ("outbid", second.pk)


def test_my_bids_state_after_the_close(as_user, seller, bidder, rival):
    won, owing, lost, unsold = (
        factories.product(seller, reserve_price=reserve) for reserve in (None, None, None, Decimal(99))
    )
    for product in (won, owing, lost, unsold):
        auction_helpers.bid(product, bidder, "5")
    auction_helpers.bid(lost, rival, "10")
    for product in (won, owing, lost, unsold):
        closing.close_auction(product_id=product.pk, actor=seller)
    sale_outcome.record_payment(product_id=won.pk, at=timezone.now())
    rows = as_user(bidder).get(URL).json()["results"]
    assert {row["product"]["id"]: row["state"] for row in rows} == {
        won.pk: "won",
        owing.pk: "owing",
        lost.pk: "lost",
        unsold.pk: "lost",
    }


def test_my_bids_last_bid_is_not_the_proxys(as_user, seller, bidder, rival):
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, max_amount="40")
    auction_helpers.bid(product, rival, "30")
    own = Bid.objects.get(max_amount=40)
    row = as_user(bidder).get(URL).json()["results"][0]
    assert (row["my_last_bid_at"], row["my_maximum"]) == (clock.isoformat_utc(own.placed_at), "40.00")


def test_my_bids_leaves_out_other_bidders(as_user, seller, bidder, rival):
    auction_helpers.bid(factories.product(seller), bidder, "5")
    assert as_user(rival).get(URL).json() == {"count": 0, "next": None, "previous": None, "results": []}


def test_my_bids_without_token_is_refused(client):
    answer = client.get(URL)
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_my_bids_write_is_not_allowed(as_user, bidder, method):
    answer = getattr(as_user(bidder), method)(URL, {"amount": "5"})
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert as_user(bidder).get(f"{URL}1/").status_code == 405


def test_my_bids_of_a_hundred_needs_the_queries_of_one(as_user, seller, bidder, django_assert_num_queries):
    auction_helpers.bid(factories.product(seller), bidder, "5")
    caller = as_user(bidder)
    with django_assert_num_queries(2):
        caller.get(f"{URL}?page_size=100")
    for _ in range(99):
        auction_helpers.bid(factories.product(seller), bidder, "5")
    with django_assert_num_queries(2):
        assert len(caller.get(f"{URL}?page_size=100").json()["results"]) == 100
