"""Bids cannot be changed; and small cases of other endpoints."""

import pytest

from auctions.models import Bid
from auctions.tests import auction_helpers
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("method", ["put", "patch", "delete", "get", "post"])
@pytest.mark.parametrize("named", ["uuid", "1", "abc"])
def test_bid_url_refuses_every_method(as_user, client, seller, bidder, method, named):
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, "5")
    pk = Bid.objects.get().pk if named == "uuid" else named
    before = list(Bid.objects.values())
    for caller in (as_user(bidder), client):
        for url in (f"/api/products/{product.pk}/bids/{pk}/", f"/api/bids/{pk}/"):
            answer = getattr(caller, method)(url)
            assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed"), url
    assert list(Bid.objects.values()) == before


def test_bid_id_is_listed_for_staff_only(as_user, client, seller, bidder, staff):
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, "5")
    url = f"/api/products/{product.pk}/bids/"
    pk = as_user(staff).get(url).json()["results"][0]["id"]
    assert all(
        "id" not in caller.get(url).json()["results"][0] for caller in (client, as_user(bidder), as_user(seller))
    )
    assert as_user(staff).post(f"{url}{pk}/void/", {"reason": "An error."}).status_code == 200


def test_bidding_filter_leaves_out_voided_bids(as_user, seller, bidder, staff):
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, "5")
    mine = as_user(bidder)
    assert mine.get("/api/products/?bidding=true").json()["count"] == 1
    as_user(staff).post(f"/api/products/{product.pk}/bids/{Bid.objects.get().pk}/void/", {"reason": "An error."})
    assert mine.get("/api/products/?bidding=true").json()["count"] == 0


def test_category_create_repeated_with_the_same_key_creates_one(as_user, staff):
    caller = as_user(staff)
    first, again = (caller.post("/api/categories/", {"name": "Lamps"}, HTTP_IDEMPOTENCY_KEY="k") for _ in range(2))
    assert (first.status_code, again.status_code, first.json()) == (201, 201, again.json())
    assert caller.post("/api/categories/", {"name": "Chairs"}, HTTP_IDEMPOTENCY_KEY="k").status_code == 422


def test_close_auction_with_accept_below_reserve_not_boolean_is_refused(as_user, seller):
    product = factories.product(seller)
    answer = as_user(seller).post(f"/api/products/{product.pk}/close_auction/", {"accept_below_reserve": "yes"})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["accept_below_reserve"])
