"""GET /api/products/{id}/bids/."""

import pytest

from auctioncraft.core import clock
from auctions.models import Bid
from auctions.tests import auction_helpers
from tests import factories

pytestmark = pytest.mark.django_db


def url(product):
    return f"/api/products/{product.pk}/bids/"


def test_bids_list_is_the_history_newest_first(client, seller, bidder, rival):
    product = factories.product(seller, currency="GBP")
    auction_helpers.bid(product, bidder, max_amount="20")
    auction_helpers.bid(product, rival, "5")
    answer = client.get(url(product))
    assert answer.status_code == 200
    server_time = answer.json()["results"][0]["server_time"]
    first, own, automatic = Bid.objects.order_by("version", "position")
    rows = [
        {
            "seq": bid.seq,
            "bidder": product.alias_of(bid.bidder_id),
            "amount": amount,
            "currency": "GBP",
            "automatic": proxy,
            "voided": False,
            "placed_at": clock.isoformat_utc(bid.placed_at),
            "server_time": server_time,
        }
        for bid, amount, proxy in ((automatic, "5.50", True), (own, "5.00", False), (first, "1.00", False))
    ]
    assert [{**row, "server_time": server_time} for row in answer.json()["results"]] == rows
    assert {key: answer.json()[key] for key in ("count", "next", "previous")} == {
        "count": 3,
        "next": None,
        "previous": None,
    }


def test_bids_list_has_a_row_for_an_outbid_proxy(client, seller, bidder, rival):
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, max_amount="20")
    auction_helpers.bid(product, rival, max_amount="30")
    rows = client.get(url(product)).json()["results"]
    assert [(row["amount"], row["automatic"], row["bidder"]) for row in rows] == [
        ("20.50", False, product.alias_of(rival.pk)),
        ("20.00", True, product.alias_of(bidder.pk)),
        ("1.00", False, product.alias_of(bidder.pk)),
    ]


def test_bids_list_leaves_out_a_raised_maximum(client, seller, bidder):
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, "5")
    auction_helpers.bid(product, bidder, max_amount="77.77")
    answer = client.get(url(product))
    assert answer.json()["count"] == 1
    assert "77" not in str([row["amount"] for row in answer.json()["results"]])


def test_bids_list_alias_is_stable_within_a_product_only(client, as_user, seller, bidder, rival):
    one, other = factories.product(seller), factories.product(seller)
    for product in (one, other):
        auction_helpers.bid(product, bidder, "5")
        auction_helpers.bid(product, rival, "10")
        auction_helpers.bid(product, bidder, "20")
    aliases = {}
    for product in (one, other):
        rows = client.get(url(product)).json()["results"]
        latest, middle, first = (row["bidder"] for row in rows)
        assert latest == first != middle
        events = client.get(f"/api/products/{product.pk}/events/").json()["results"]
        assert [event["data"]["bidder"] for event in events] == [first, middle, latest]
        assert as_user(bidder).get(f"/api/products/{product.pk}/").json()["viewer"]["alias"] == first
        aliases[product.pk] = {first, middle}
    assert not aliases[one.pk] & aliases[other.pk]


def test_bids_list_names_no_bidder(client, seller, bidder):
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, "5")
    text = client.get(url(product)).content.decode()
    for secret in (bidder.email, bidder.display_name, "bidder_id", product.alias_salt):
        assert secret not in text


def test_bids_list_without_bids_is_empty(client, seller):
    answer = client.get(url(factories.product(seller)))
    assert answer.json() == {"count": 0, "next": None, "previous": None, "results": []}


def test_bids_list_of_a_hundred_needs_the_queries_of_one(client, seller, bidder, rival, django_assert_num_queries):
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, "5")
    with django_assert_num_queries(2):
        client.get(url(product) + "?page_size=100")
    for number in range(99):
        auction_helpers.bid(product, (rival, bidder)[number % 2], str(10 + number * 100))
    with django_assert_num_queries(2):
        assert len(client.get(url(product) + "?page_size=100").json()["results"]) == 100


def test_bid_id_is_listed_for_staff_only(as_user, client, seller, bidder, staff):
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, "5")
    path = url(product)
    pk = as_user(staff).get(path).json()["results"][0]["id"]
    assert all(
        "id" not in caller.get(path).json()["results"][0] for caller in (client, as_user(bidder), as_user(seller))
    )
    assert as_user(staff).post(f"{path}{pk}/void/", {"reason": "An error."}).status_code == 200
