"""GET /api/products/{id}/."""

from datetime import timedelta
from decimal import Decimal
from io import BytesIO

import pytest
from PIL import Image

from accounts.models import User
from auctioncraft.core import clock
from auctions.models import Auction, Bid
from auctions.services import closing, editing, images, watching
from auctions.tests import auction_helpers
from tests import factories

pytestmark = pytest.mark.django_db


def url(product):
    return f"/api/products/{product.pk}/"


def test_retrieve_product_without_token_returns_public_fields(client, seller, bidder):
    product = factories.product(
        seller, description="Old.", shipping=Decimal("4.5"), buy_now_price=Decimal(90), currency="EUR"
    )
    product.refresh_from_db()
    auction_helpers.bid(product, bidder, max_amount="20")
    bid, auction = Bid.objects.get(), Auction.objects.get()
    answer = client.get(url(product))
    server_time, bid_time = answer.json()["server_time"], answer.json()["bids"][0]["server_time"]
    assert answer.status_code == 200
    assert answer.json() == {
        "id": product.pk,
        "name": "A thing",
        "category": {"id": product.category_id, "name": "Things", "slug": "things"},
        "seller": {"id": seller.pk, "display_name": seller.display_name},
        "currency": "EUR",
        "starting_bid": "1.00",
        "current_price": "1.00",
        "minimum_bid": "1.25",
        "bid_count": 1,
        "has_reserve": False,
        "reserve_met": True,
        "buy_now_price": None,
        "status": "open",
        "starts_at": clock.isoformat_utc(auction.starts_at),
        "ends_at": clock.isoformat_utc(auction.ends_at),
        "thumbnail": None,
        "watch_count": 0,
        "created_at": clock.isoformat_utc(product.created_at),
        "seq": 1,
        "server_time": server_time,
        "description": "Old.",
        "description_additions": [],
        "relisted_from": None,
        "shipping": "4.50",
        "images": [],
        "bids": [
            {
                "seq": 1,
                "bidder": product.alias_of(bidder.pk),
                "amount": "1.00",
                "currency": "EUR",
                "automatic": False,
                "voided": False,
                "placed_at": clock.isoformat_utc(bid.placed_at),
                "server_time": bid_time,
            }
        ],
    }


def test_retrieve_product_returns_the_latest_ten_bids(client, seller, bidder, rival):
    product = factories.product(seller)
    for number in range(12):
        auction_helpers.bid(product, (bidder, rival)[number % 2], str(10 + number * 5))
    bids = client.get(url(product)).json()["bids"]
    assert [bid["seq"] for bid in bids] == list(range(12, 2, -1))


def test_retrieve_product_returns_image_urls(client, seller, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    product = factories.product(seller)
    buffer = BytesIO()
    Image.new("RGB", (800, 600)).save(buffer, "PNG")
    buffer.seek(0)
    image = images.add_image(product_id=product.pk, actor=seller, file=buffer)
    body = client.get(url(product)).json()
    assert body["thumbnail"] == f"/media/{image['thumbnail']}"
    assert body["images"] == [
        {
            "id": image["id"],
            "url": f"/media/{image['image']}",
            "thumbnail": body["thumbnail"],
            "width": 800,
            "height": 600,
        }
    ]


def test_retrieve_product_with_matching_etag_is_not_modified(client, seller):
    product = factories.product(seller)
    first = client.get(url(product))
    assert (first["Cache-Control"], "Authorization" in first["Vary"]) == ("public, no-cache", True)
    etag = first["ETag"]
    for header in (etag, f'"another", {etag}'):
        again = client.get(url(product), headers={"If-None-Match": header})
        assert (again.status_code, again.content, again["ETag"]) == (304, b"", etag)
    assert client.get(url(product), headers={"If-None-Match": 'W/"another"'}).status_code == 200
    assert client.get(url(product), headers={"If-None-Match": "nonsense"}).status_code == 200


def test_retrieve_product_etag_does_not_reveal_a_raised_maximum(client, seller, bidder):
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, "20")
    before = client.get(url(product))
    auction_helpers.bid(product, bidder, max_amount="30")
    after = client.get(url(product))
    assert before["ETag"] == after["ETag"]
    assert {**before.json(), "server_time": "", "bids": ""} == {**after.json(), "server_time": "", "bids": ""}
    assert len(after.json()["bids"]) == 1


@pytest.mark.parametrize("change", ["bid", "end", "close", "watch", "edit", "seller", "category"])
def test_retrieve_product_etag_changes_with_public_fields(client, seller, bidder, change):
    product = factories.product(seller)
    before = client.get(url(product))["ETag"]
    if change == "bid":
        auction_helpers.bid(product, bidder, "5")
    elif change == "end":
        auction_helpers.move_end_to_past(product)
    elif change == "close":
        closing.close_auction(product_id=product.pk, actor=seller)
    elif change == "watch":
        watching.watch(product_id=product.pk, user=bidder)
    elif change == "edit":
        editing.edit_product(product_id=product.pk, actor=seller, changes={"name": "Another"})
    elif change == "seller":
        User.objects.update(display_name="Another")
    else:
        product.category.name = "Another"
        product.category.save()
    answer = client.get(url(product), headers={"If-None-Match": before})
    assert answer.status_code == 200
    assert answer["ETag"] != before


def test_retrieve_product_with_token_returns_the_viewer(as_user, client, seller, bidder):
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, "5", max_amount="20")
    watching.watch(product_id=product.pk, user=bidder)
    answer = as_user(bidder).get(url(product))
    assert answer["Cache-Control"] == "private, no-store"
    assert "ETag" not in answer
    assert answer.json()["viewer"] == {
        "alias": product.alias_of(bidder.pk),
        "is_leading": True,
        "my_maximum": "20.00",
        "my_last_amount": "5.00",
        "watching": True,
        "can_bid": True,
        "reason": None,
        "second_chance": None,
    }
    assert "viewer" not in client.get(url(product)).json()


def test_retrieve_product_outbid_viewer_sees_own_maximum_only(as_user, seller, bidder, rival):
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, max_amount="20")
    auction_helpers.bid(product, rival, max_amount="90")
    viewer = as_user(bidder).get(url(product)).json()["viewer"]
    assert (viewer["is_leading"], viewer["my_maximum"], viewer["my_last_amount"]) == (False, "20.00", "1.00")


@pytest.mark.parametrize(
    ("who", "reason"),
    [
        ("seller", "seller_cannot_bid"),
        ("suspended", "bidder_suspended"),
        ("ended", "auction_not_open"),
        ("scheduled", "auction_not_open"),
        ("closed", "auction_not_open"),
        ("another user", None),
    ],
)
def test_retrieve_product_viewer_can_bid_or_has_a_reason(as_user, seller, rival, who, reason):
    product = factories.product(seller)
    if who == "suspended":
        User.objects.filter(pk=rival.pk).update(strikes=3)
    elif who == "ended":
        auction_helpers.move_end_to_past(product, timedelta(0))
    elif who == "scheduled":
        auction_helpers.move_start_to_tomorrow(product)
    elif who == "closed":
        closing.close_auction(product_id=product.pk, actor=seller)
    viewer = as_user(seller if who == "seller" else rival).get(url(product)).json()["viewer"]
    assert viewer == {
        "alias": viewer["alias"],
        "is_leading": False,
        "my_maximum": None,
        "my_last_amount": None,
        "watching": False,
        "can_bid": reason is None,
        "reason": reason,
        "second_chance": None,
    }


def test_retrieve_product_viewer_agrees_with_the_bid(as_user, seller, rival):
    product, caller = factories.product(seller), as_user(rival)
    auction_helpers.move_end_to_past(product)
    reason = caller.get(url(product)).json()["viewer"]["reason"]
    assert caller.post(f"{url(product)}bids/", {"amount": "5"}).json()["code"] == reason


@pytest.mark.parametrize(
    "ident", ["0", "1", "abc", "1e30", "-1", "1.0", "9" * 18, "9" * 20, "%EF%BC%91", "%00", "1%20"]
)
@pytest.mark.parametrize("rest", ["", "bids/", "events/", "close_auction/", "watch/", "nothing/"])
def test_retrieve_product_that_does_not_exist_is_not_found(as_user, seller, ident, rest):
    caller = as_user(seller)
    method = caller.post if rest in {"close_auction/", "watch/"} else caller.get
    answer = method(f"/api/products/{ident}/{rest}")
    assert answer.status_code == 404
    assert answer.json() == {"code": "not_found", "detail": "Not found."}
    assert answer["Content-Type"] == "application/json"


def test_retrieve_product_with_invalid_token_is_refused(client, seller):
    client.credentials(HTTP_AUTHORIZATION="Bearer nonsense")
    answer = client.get(url(factories.product(seller)))
    assert (answer.status_code, answer.json()["code"]) == (401, "token_not_valid")


@pytest.mark.parametrize("method", ["put", "post"])
def test_retrieve_product_url_refuses_post_and_put(as_user, seller, method):
    answer = getattr(as_user(seller), method)(url(factories.product(seller)), {"price": "1", "status": "sold"})
    assert answer.status_code == 405
    assert answer.json() == {"code": "method_not_allowed", "detail": f'Method "{method.upper()}" not allowed.'}


def test_retrieve_product_with_a_hundred_bids_needs_the_queries_of_one(
    client, as_user, seller, bidder, rival, django_assert_num_queries
):
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, "2")
    caller = as_user(bidder)
    for _ in range(2):
        with django_assert_num_queries(2):
            client.get(url(product))
        with django_assert_num_queries(5):
            caller.get(url(product))
        for number in range(30):
            auction_helpers.bid(product, (rival, bidder)[number % 2], str(10 * Auction.objects.get().bid_count + 10))
