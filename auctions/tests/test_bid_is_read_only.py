"""A bid by itself: nothing is done to it."""

import pytest

from auctions.models import Bid
from auctions.tests import auction_helpers
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("method", ["put", "patch", "delete", "get", "post"])
@pytest.mark.parametrize("named", ["uuid", "1", "abc"])
def test_a_bid_is_not_changed_by_any_method(as_user, client, seller, bidder, method, named):
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, "5")
    pk = Bid.objects.get().pk if named == "uuid" else named
    before = list(Bid.objects.values())
    for caller in (as_user(bidder), client):
        for url in (f"/api/products/{product.pk}/bids/{pk}/", f"/api/bids/{pk}/"):
            answer = getattr(caller, method)(url)
            assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed"), url
    assert list(Bid.objects.values()) == before


def test_staff_see_by_which_id_to_void_a_bid_and_others_do_not(as_user, client, seller, bidder, staff):
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, "5")
    url = f"/api/products/{product.pk}/bids/"
    pk = as_user(staff).get(url).json()["results"][0]["id"]
    assert all(
        "id" not in caller.get(url).json()["results"][0] for caller in (client, as_user(bidder), as_user(seller))
    )
    assert as_user(staff).post(f"{url}{pk}/void/", {"reason": "An error."}).status_code == 200


def test_products_one_bids_on_are_those_where_a_bid_stands(as_user, seller, bidder, staff):
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, "5")
    mine = as_user(bidder)
    assert mine.get("/api/products/?bidding=true").json()["count"] == 1
    as_user(staff).post(f"/api/products/{product.pk}/bids/{Bid.objects.get().pk}/void/", {"reason": "An error."})
    assert mine.get("/api/products/?bidding=true").json()["count"] == 0


def test_a_category_is_added_once_for_one_key(as_user, staff):
    caller = as_user(staff)
    first, again = (caller.post("/api/categories/", {"name": "Lamps"}, HTTP_IDEMPOTENCY_KEY="k") for _ in range(2))
    assert (first.status_code, again.status_code, first.json()) == (201, 201, again.json())
    assert caller.post("/api/categories/", {"name": "Chairs"}, HTTP_IDEMPOTENCY_KEY="k").status_code == 422


def test_only_true_accepts_below_the_reserve(as_user, seller):
    product = factories.product(seller)
    answer = as_user(seller).post(f"/api/products/{product.pk}/close_auction/", {"accept_below_reserve": "yes"})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["accept_below_reserve"])
