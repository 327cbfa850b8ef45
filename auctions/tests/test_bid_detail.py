"""/api/products/{id}/bids/{id}/ and /api/bids/{id}/: bids cannot be changed."""

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


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_my_bids_url_refuses_every_method_but_get(as_user, bidder, method):
    answer = getattr(as_user(bidder), method)("/api/bids/", {"amount": "5"})
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_preview_url_refuses_every_method_but_post(as_user, seller, bidder, method):
    product = factories.product(seller)
    answer = getattr(as_user(bidder), method)(f"/api/products/{product.pk}/bids/preview/")
    assert (answer.status_code, answer.json()["code"], answer["Allow"]) == (405, "method_not_allowed", "POST, OPTIONS")
