"""GET /api/products/: rows and pages."""

from decimal import Decimal

import pytest

from auctioncraft.api import pagination
from auctioncraft.core import clock
from auctions.models import Auction, Product
from auctions.tests import auction_helpers
from tests import factories

pytestmark = [pytest.mark.sqlite, pytest.mark.django_db]
URL = "/api/products/"


def test_products_list_row_contains_public_fields(client, seller, bidder):
    things = factories.category("Things")
    product = factories.product(seller, starting_bid="100", reserve_price=Decimal(500), buy_now_price=Decimal(900))
    auction_helpers.bid(product, bidder, "150")
    answer = client.get(URL)
    auction = Auction.objects.get()
    product.refresh_from_db()
    server_time = answer.json()["results"][0]["server_time"]
    assert server_time >= clock.isoformat_utc(auction.last_bid_at)
    assert answer.json() == {
        "count": 1,
        "next": None,
        "previous": None,
        "results": [
            {
                "id": product.pk,
                "name": "A thing",
                "category": {"id": things.pk, "name": "Things", "slug": "things"},
                "seller": {"id": seller.pk, "display_name": seller.display_name},
                "currency": "USD",
                "starting_bid": "100.00",
                "current_price": "150.00",
                "minimum_bid": "152.50",
                "bid_count": 1,
                "has_reserve": True,
                "reserve_met": False,
                "buy_now_price": "900.00",
                "status": "open",
                "starts_at": clock.isoformat_utc(auction.starts_at),
                "ends_at": clock.isoformat_utc(auction.ends_at),
                "thumbnail": None,
                "watch_count": 0,
                "created_at": clock.isoformat_utc(product.created_at),
                "seq": 1,
                "server_time": server_time,
            }
        ],
    }


def test_products_list_without_products_is_empty(client):
    assert client.get(URL).json() == {"count": 0, "next": None, "previous": None, "results": []}


def test_products_list_pages_link_to_each_other(client, seller):
    for number in range(14):
        factories.product(seller, name=str(number))
    first = client.get(f"{URL}?has_bids=false").json()
    assert (first["count"], len(first["results"]), first["previous"]) == (14, 12, None)
    assert first["next"] == "http://testserver/api/products/?has_bids=false&page=2"
    second = client.get(first["next"]).json()
    assert (second["count"], [row["name"] for row in second["results"]], second["next"]) == (14, ["1", "0"], None)
    assert second["previous"] == "http://testserver/api/products/?has_bids=false&page=1"


def test_products_list_page_has_at_most_a_hundred_rows(client, seller):
    first = factories.product(seller)
    copies = [Product(**_columns(first), name=str(number)) for number in range(104)]
    Product.objects.bulk_create(copies)
    Auction.objects.bulk_create(
        Auction(
            product=copy,
            starts_at=first.auction.starts_at,
            ends_at=first.auction.ends_at,
            hard_ends_at=first.auction.ends_at,
        )
        for copy in copies
    )
    answer = client.get(f"{URL}?page_size=1000000000").json()
    assert (answer["count"], len(answer["results"])) == (105, 100)
    assert len(client.get(f"{URL}?page_size=1e9").json()["results"]) == 12
    assert len(client.get(f"{URL}?page_size=100&page=2").json()["results"]) == 5


def _columns(product):
    skip = {"id", "name", "created_at", "alias_salt"}
    return {
        field.attname: getattr(product, field.attname)
        for field in Product._meta.concrete_fields
        if field.name not in skip
    }


@pytest.mark.parametrize("page", ["2", "1000000000", "1e9", "0", "-1", "abc", "", "%00", "%EF%BC%91", "9" * 400])
def test_products_list_page_that_does_not_exist_is_not_found(client, seller, page):
    factories.product(seller)
    answer = client.get(f"{URL}?page={page}")
    assert answer.status_code == 404
    assert answer.json() == {"code": "not_found", "detail": "There is no such page."}


def test_products_list_count_beyond_the_maximum_is_not_exact(client, seller, monkeypatch):
    monkeypatch.setattr(pagination, "MAX_EXACT_COUNT", 4)
    for _ in range(4):
        factories.product(seller)
    exact = client.get(f"{URL}?page_size=2").json()
    assert (exact["count"], "count_exact" in exact) == (4, False)
    factories.product(seller)
    more = client.get(f"{URL}?page_size=2").json()
    assert (more["count"], more["count_exact"]) == (4, False)
    pages = 1
    while more["next"]:
        answer = client.get(more["next"])
        assert answer.status_code == 200
        more, pages = answer.json(), pages + 1
    assert pages == 3


def test_product_list_beyond_the_exact_count_ends_without_a_next_page(client, seller, monkeypatch):
    monkeypatch.setattr(pagination, "MAX_EXACT_COUNT", 4)
    for _ in range(9):
        factories.product(seller)
    page, ids = client.get(f"{URL}?page_size=3").json(), []
    while True:
        ids += [row["id"] for row in page["results"]]
        if not page["next"]:
            break
        answer = client.get(page["next"])
        assert answer.status_code == 200
        page = answer.json()
    assert (len(ids), len(set(ids)), page["count_exact"]) == (6, 6, False)
    assert client.get(f"{URL}?page_size=3&page=3").status_code == 404


@pytest.mark.parametrize("query", ["", "?status=open&search=thing&ordering=-bid_count"])
def test_products_list_of_a_hundred_needs_the_queries_of_one(client, seller, bidder, django_assert_num_queries, query):
    auction_helpers.bid(factories.product(seller), bidder, "5")
    with django_assert_num_queries(1):
        client.get(URL + query)
    for _ in range(99):
        factories.product(seller)
    with django_assert_num_queries(1):
        assert len(client.get(f"{URL}{query or '?'}&page_size=100").json()["results"]) == 100


def test_products_list_put_patch_and_delete_are_not_allowed(as_user, seller):
    for method in ("put", "patch", "delete"):
        answer = getattr(as_user(seller), method)(URL, {})
        assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
