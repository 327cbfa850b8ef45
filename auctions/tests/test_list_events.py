"""GET /api/products/{id}/events/."""

from datetime import timedelta

import pytest
from django.utils import timezone

from auctioncraft.api import pagination
from auctioncraft.core import clock
from auctions.models import AuctionEvent
from auctions.services import closing
from auctions.tests import auction_helpers
from tests import factories

pytestmark = pytest.mark.django_db


def url(product, query=""):
    return f"/api/products/{product.pk}/events/{query}"


@pytest.fixture
def product(seller, bidder, rival):
    """Return a product with a bid, a raised maximum, a late bid and the close: four public events."""
    product = factories.product(seller, ends_at=timezone.now() + timedelta(seconds=60), soft_close_window=0)
    auction_helpers.bid(product, bidder, "5")
    auction_helpers.bid(product, bidder, max_amount="6")
    type(product).objects.update(soft_close_window=120)
    auction_helpers.bid(product, rival, "50")
    closing.close_auction(product_id=product.pk, actor=seller)
    return product


def test_events_list_is_gap_free_oldest_first(client, product):
    body = client.get(url(product)).json()
    assert [(event["seq"], event["kind"]) for event in body["results"]] == [
        (1, "bid_placed"),
        (2, "bid_placed"),
        (3, "extended"),
        (4, "closed"),
    ]
    assert body["count"] == 4
    assert client.get(f"/api/products/{product.pk}/").json()["seq"] == 4


def test_event_contains_public_data(client, product, rival):
    body = client.get(url(product, "?after=3")).json()
    event = AuctionEvent.objects.get(seq=4)
    assert body == {
        "count": 1,
        "next": None,
        "previous": None,
        "results": [
            {
                "seq": 4,
                "kind": "closed",
                "data": {
                    "result": "sold",
                    "final_price": "50.00",
                    "currency": "USD",
                    "winner": product.alias_of(rival.pk),
                    "by": "seller",
                },
                "created_at": clock.isoformat_utc(event.created_at),
                "server_time": body["results"][0]["server_time"],
            }
        ],
    }


def test_event_contains_no_private_data(client, as_user, seller, product):
    for caller in (client, as_user(seller)):
        for event in caller.get(url(product)).json()["results"]:
            assert set(event) == {"seq", "kind", "data", "created_at", "server_time"}


@pytest.mark.parametrize(
    ("after", "seqs"), [("0", [1, 2, 3, 4]), ("2", [3, 4]), ("4", []), ("9223372036854775807", [])]
)
def test_events_list_after_seq_returns_later_events(client, product, after, seqs):
    assert [event["seq"] for event in client.get(url(product, f"?after={after}")).json()["results"]] == seqs


def test_events_list_followed_page_by_page_is_complete(client, product):
    seen, after = [], 0
    while rows := client.get(url(product, f"?after={after}&page_size=1")).json()["results"]:
        seen += [event["seq"] for event in rows]
        after = seen[-1]
    assert seen == [1, 2, 3, 4]


@pytest.mark.parametrize("size", [1, 2, 3])
def test_event_list_beyond_the_exact_count_continues_after_the_last_event(client, product, monkeypatch, size):
    monkeypatch.setattr(pagination, "MAX_EXACT_COUNT", 1)
    page, seen = client.get(url(product, f"?page_size={size}")).json(), []
    while True:
        seen += [event["seq"] for event in page["results"]]
        if not page["next"]:
            break
        answer = client.get(page["next"])
        assert answer.status_code == 200
        page = answer.json()
    assert seen == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "after", ["abc", "-1", "1.5", "1e3", "%00", "9223372036854775808", "%EF%BC%91", "1_0", "9" * 5000]
)
def test_events_list_with_invalid_after_is_refused(client, product, after):
    answer = client.get(url(product, f"?after={after}"))
    assert (answer.status_code, answer.json()["code"], list(answer.json()["errors"])) == (400, "invalid", ["after"])


def test_events_write_is_not_allowed(as_user, seller, product):
    for method in ("post", "put", "patch", "delete"):
        assert getattr(as_user(seller), method)(url(product), {}).status_code == 405


def test_events_list_of_a_hundred_needs_the_queries_of_one(client, seller, bidder, rival, django_assert_num_queries):
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, "5")
    with django_assert_num_queries(2):
        client.get(url(product, "?page_size=100"))
    for number in range(99):
        auction_helpers.bid(product, (rival, bidder)[number % 2], str(10 + number * 100))
    with django_assert_num_queries(2):
        assert len(client.get(url(product, "?page_size=100")).json()["results"]) == 100
