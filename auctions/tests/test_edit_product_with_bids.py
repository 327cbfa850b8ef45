"""PATCH /api/products/{id}/ after the first bid."""

import pytest

from accounts.models import User
from auctions.models import Auction, AuctionEvent
from auctions.services import voiding
from auctions.tests import auction_helpers
from tests import factories
from tests.db_snapshot import assert_nothing_written, broken_invariants

pytestmark = pytest.mark.django_db

HAS_BIDS = {
    "code": "auction_has_bids",
    "detail": "This product has bids. You can only add text to the end of its description.",
}


def url(product):
    return f"/api/products/{product.pk}/"


def test_edit_product_with_bids_appends_to_the_description(as_user, seller, bidder):
    product, caller = factories.product(seller, description="Old."), as_user(seller)
    auction_helpers.bid(product, bidder, "5", max_amount="9")
    before = Auction.objects.values().get()
    answer = caller.patch(url(product), {"description": "Old. It works.", "name": "A thing", "starting_bid": "1.00"})
    assert (answer.status_code, answer.json()["description"]) == (200, "Old. It works.")
    event = AuctionEvent.objects.get(seq=2)
    assert (event.kind, event.data, event.private) == (
        "edited",
        {"fields": ["description"]},
        {"editor": seller.pk, "bidders": [bidder.pk]},
    )
    assert Auction.objects.values().get() == {**before, "seq": 2, "version": before["version"] + 1}
    assert broken_invariants() == []


WITH_BIDS = [
    {"description": "New."},
    {"description": ""},
    {"description": "old. It works."},
    {"description": "It works. Old."},
    {"name": "A lamp"},
    {"starting_bid": "0.5"},
    {"reserve_price": "40"},
    {"buy_now_price": "40"},
    {"bid_increment": "2"},
    {"shipping": "0.01"},
    {"currency": "EUR"},
    {"soft_close_window": 0},
    {"soft_close_extension": 0},
    {"ends_at": "2030-01-01T00:00:00Z"},
    {"starts_at": "2030-01-01T00:00:00Z"},
    {"description": "Old. It works.", "name": "A lamp"},
]


@pytest.mark.parametrize("body", WITH_BIDS, ids=str)
@pytest.mark.parametrize("who", ["seller", "staff"])
def test_edit_product_with_bids_is_refused_for_all_else(request, as_user, seller, bidder, who, body):
    product, caller = factories.product(seller, description="Old."), as_user(request.getfixturevalue(who))
    auction_helpers.bid(product, bidder, "5")
    with assert_nothing_written():
        answer = caller.patch(url(product), body)
    assert (answer.status_code, answer.json()) == (409, HAS_BIDS)


def test_edit_product_with_only_voided_bids_is_refused(as_user, seller, bidder, staff):
    product, caller = factories.product(seller), as_user(seller)
    made = auction_helpers.bid(product, bidder, "5")
    voiding.void_bid(product_id=product.pk, bid_id=made["bid"]["id"], actor=staff, reason="By mistake.")
    with assert_nothing_written():
        assert caller.patch(url(product), {"starting_bid": "9"}).json() == HAS_BIDS


def test_edit_product_with_bids_by_seller_who_is_staff_is_refused(as_user, seller, bidder):
    User.objects.filter(pk=seller.pk).update(is_staff=True)
    product, caller = factories.product(seller), as_user(seller)
    auction_helpers.bid(product, bidder, "5")
    with assert_nothing_written():
        assert caller.patch(url(product), {"name": "A lamp"}).json() == HAS_BIDS
