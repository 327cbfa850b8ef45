"""GET /api/products/."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from auctioncraft.api import pagination
from auctioncraft.core import clock
from auctions.models import Auction, Bid, Product
from auctions.services import closing, watching
from auctions.tests import auction_helpers
from tests import factories

pytestmark = [pytest.mark.sqlite, pytest.mark.django_db]
URL = "/api/products/"


def names(client, query="", **headers):
    answer = client.get(f"{URL}?{query}", **headers)
    assert answer.status_code == 200, answer.json()
    return [row["name"] for row in answer.json()["results"]]


@pytest.fixture
def products(seller, bidder, rival):
    """Return a Lamp at 5, a Chair at 20 by proxy, a Table without bids, an ended Vase and a scheduled Clock."""
    made = {name: factories.product(seller, name=name) for name in ("Lamp", "Chair", "Table", "Vase", "Clock")}
    auction_helpers.bid(made["Lamp"], bidder, "5")
    auction_helpers.bid(made["Chair"], bidder, "10")
    auction_helpers.bid(made["Chair"], rival, "20")
    auction_helpers.move_end_to_past(made["Vase"])
    auction_helpers.move_start_to_tomorrow(made["Clock"])
    return made


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


def test_products_list_is_newest_first(client, products):
    assert names(client) == ["Clock", "Vase", "Table", "Chair", "Lamp"]


@pytest.mark.parametrize(
    ("ordering", "expected"),
    [
        ("current_price", ["Lamp", "Chair", "Table", "Vase", "Clock"]),
        ("-current_price", ["Chair", "Lamp", "Clock", "Vase", "Table"]),
        ("bid_count", ["Table", "Vase", "Clock", "Lamp", "Chair"]),
        ("-bid_count", ["Chair", "Lamp", "Clock", "Vase", "Table"]),
        ("created_at", ["Lamp", "Chair", "Table", "Vase", "Clock"]),
        ("-created_at", ["Clock", "Vase", "Table", "Chair", "Lamp"]),
        ("ends_at", ["Vase", "Lamp", "Chair", "Table", "Clock"]),
        ("-ends_at", ["Clock", "Table", "Chair", "Lamp", "Vase"]),
    ],
)
def test_products_list_ordering_sorts(client, products, ordering, expected):
    assert names(client, f"ordering={ordering}") == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("status=open", {"Lamp", "Chair", "Table"}),
        ("status=ended", {"Vase"}),
        ("status=scheduled", {"Clock"}),
        ("status=sold", set()),
        ("has_bids=true", {"Lamp", "Chair"}),
        ("has_bids=false", {"Table", "Vase", "Clock"}),
        ("min_price=5.01", {"Chair"}),
        ("max_price=5", {"Lamp"}),
        ("min_price=5&max_price=20.00", {"Lamp", "Chair"}),
        ("min_price=0", {"Lamp", "Chair"}),
        ("search=CHAIR", {"Chair"}),
        ("search=lamp+chair", set()),
        ("search=", {"Lamp", "Chair", "Table", "Vase", "Clock"}),
        ("seller=999999", set()),
        ("category=999999", set()),
        ("has_bids=true&status=open&min_price=6", {"Chair"}),
        ("unknown=1", {"Lamp", "Chair", "Table", "Vase", "Clock"}),
    ],
)
def test_products_list_filter_returns_matches(client, products, query, expected):
    assert set(names(client, query)) == expected


def test_products_list_status_filter_of_closed_auctions(client, products, seller, staff):
    closing.close_auction(product_id=products["Lamp"].pk, actor=seller)
    closing.close_auction(product_id=products["Table"].pk, actor=staff)
    assert (names(client, "status=sold"), names(client, "status=unsold")) == (["Lamp"], ["Table"])
    assert names(client, "status=open") == ["Chair"]


def test_products_list_status_past_the_end_is_ended_before_the_close(client, seller):
    product = factories.product(seller)
    auction_helpers.move_end_to_past(product)
    assert Auction.objects.get().status == "open"
    assert client.get(URL).json()["results"][0]["status"] == "ended"
    assert names(client, "status=open") == []


def test_products_list_ends_before_returns_earlier_ends(client, products):
    tomorrow = (timezone.now() + timedelta(days=1)).isoformat()
    assert set(names(client, "ends_before=" + tomorrow.replace("+", "%2B"))) == {"Vase"}


def test_products_list_category_includes_its_subtree(client, seller):
    top = factories.category("Top")
    below = factories.category("Below", parent=top)
    deep = factories.category("Deep", parent=below)
    for category in (top, below, deep, factories.category("Other")):
        factories.product(seller, name=category.name, category_id=category.pk)
    assert set(names(client, f"category={top.pk}")) == {"Top", "Below", "Deep"}
    assert names(client, f"category={deep.pk}") == ["Deep"]


def test_products_list_seller_returns_their_products(client, seller, rival):
    factories.product(seller, name="Mine")
    factories.product(rival, name="Theirs")
    assert names(client, f"seller={rival.pk}") == ["Theirs"]


def test_products_list_own_filters_return_the_callers(as_user, products, seller, bidder, rival):
    watching.watch(product_id=products["Vase"].pk, user=bidder)
    caller = as_user(bidder)
    assert names(caller, "bidding=true") == ["Chair", "Lamp"]
    assert names(caller, "bidding=false") == ["Clock", "Vase", "Table"]
    assert names(caller, "watched=true") == ["Vase"]
    assert names(caller, "mine=true") == []
    assert len(names(as_user(seller), "mine=true")) == 5


@pytest.mark.parametrize("name", ["mine", "watched", "bidding"])
def test_products_list_own_filter_without_token_is_refused(client, name):
    answer = client.get(f"{URL}?{name}=true")
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize(
    "query",
    [
        *("ordering=price", "ordering=id", "ordering=seller__password", "ordering=%3F", "ordering=ends_at;DROP"),
        *("status=nonsense", "status=%00", "category=abc", "category=1.0", "category=1_000", "category=-1"),
        *("category=1e30", "category=99999999999999999999", "category=%EF%BC%91", "category=true", "seller=abc"),
        *("seller=0", "seller=%00", "min_price=NaN", "min_price=Infinity", "min_price=1e400", "min_price=-1"),
        *("min_price=abc", "max_price=1e400", "max_price=%00", "max_price=999999999999999"),
        *("ends_before=tomorrow", "ends_before=0001-01-01T00:00:00%2B14:00", "ends_before=9999-12-31T23:59:59-14:00"),
        *("has_bids=maybe", "mine=%00", "watched=2", "search=%00", "search=" + "a" * 201),
    ],
)
def test_products_list_with_invalid_filter_is_refused(as_user, seller, query):
    factories.product(seller)
    answer = as_user(seller).get(f"{URL}?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert list(answer.json()["errors"]) == [query.split("=")[0]]


@pytest.mark.parametrize("words", ["%25", "_", "%22", "'", "\\", "' OR 1=1 --", "%25%25", "(", "*"])
def test_products_list_search_of_wildcards_is_literal(client, products, words):
    assert names(client, f"search={words}") == []


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


def test_products_list_bidding_filter_leaves_out_voided_bids(as_user, seller, bidder, staff):
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, "5")
    mine = as_user(bidder)
    assert mine.get("/api/products/?bidding=true").json()["count"] == 1
    as_user(staff).post(f"/api/products/{product.pk}/bids/{Bid.objects.get().pk}/void/", {"reason": "An error."})
    assert mine.get("/api/products/?bidding=true").json()["count"] == 0
