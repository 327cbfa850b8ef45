"""GET /api/products/: filters and ordering."""

from datetime import timedelta

import pytest
from django.utils import timezone

from auctions.models import Auction, Bid
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


def test_products_list_bidding_filter_leaves_out_voided_bids(as_user, seller, bidder, staff):
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, "5")
    mine = as_user(bidder)
    assert mine.get("/api/products/?bidding=true").json()["count"] == 1
    as_user(staff).post(f"/api/products/{product.pk}/bids/{Bid.objects.get().pk}/void/", {"reason": "An error."})
    assert mine.get("/api/products/?bidding=true").json()["count"] == 0
