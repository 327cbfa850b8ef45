"""A second auction format: one module and one entry in FORMATS, without changes elsewhere."""

from decimal import Decimal

import pytest

from auctions import formats
from auctions.formats import ascending
from auctions.models import Auction, Bid, Product
from auctions.services import closing
from auctions.tests import auction_helpers
from payments.models import Order
from tests import factories, sealed_first_price
from tests.violations import find_violations

pytestmark = [pytest.mark.sqlite, pytest.mark.django_db]


@pytest.fixture
def sealed(seller, monkeypatch):
    """Make products sold by sealed bids."""
    monkeypatch.setitem(formats.FORMATS, "sealed", sealed_first_price)

    def make(**fields):
        product = factories.product(seller, **fields)
        Product.objects.filter(pk=product.pk).update(format="sealed")
        return Product.objects.get(pk=product.pk)

    return make


def address(product, action=""):
    return f"/api/products/{product.pk}/{action}"


def bid(as_user, product, user, amount):
    return as_user(user).post(address(product, "bids/"), {"amount": amount})


def test_products_have_the_ascending_format_by_default(seller):
    product = factories.product(seller)
    assert (product.format, product.rules) == ("ascending", ascending)


def test_sealed_bid_is_accepted_and_hidden_until_the_close(sealed, as_user, client, seller, bidder, rival):
    product = sealed(reserve_price=Decimal(20))
    before = client.get(address(product)).json()
    answers = [bid(as_user, product, user, amount) for user, amount in ((bidder, "30"), (rival, "45"))]

    assert [answer.status_code for answer in answers] == [201, 201]
    for answer in answers:
        shown = answer.json()
        assert (shown["outcome"], shown["product"]["is_leading"], shown["product"]["current_price"]) == (
            "sealed",
            False,
            None,
        )
        assert (shown["product"]["bid_count"], shown["product"]["reserve_met"]) == (0, False)
    # The public, the seller and each bidder see what they saw before, except for their own amount.
    assert {**client.get(address(product)).json(), "server_time": 0} == {**before, "server_time": 0}
    for action in ("bids/", "events/"):
        assert client.get(address(product, action)).json()["results"] == []
    for user, own in ((seller, None), (bidder, "30.00"), (rival, "45.00")):
        viewer = as_user(user).get(address(product)).json()["viewer"]
        assert (viewer["is_leading"], viewer["my_maximum"]) == (False, own)
    assert client.get("/api/products/?min_price=1").json()["results"] == []
    assert find_violations("auctions") == {}


def test_sealed_auction_when_closed_is_sold_to_the_highest_bid_at_its_amount(
    sealed, as_user, client, seller, bidder, rival
):
    product = sealed(reserve_price=Decimal(20))
    for user, amount in ((bidder, "30"), (rival, "45"), (bidder, "44.99")):
        assert bid(as_user, product, user, amount).status_code == 201
    answer = as_user(seller).post(address(product, "close_auction/")).json()

    assert (answer["result"], answer["winner"]["id"], answer["final_price"]) == ("sold", rival.pk, "45.00")
    assert client.get(address(product)).json()["current_price"] == "45.00"
    assert Order.objects.get(product=product).hammer_price == 45
    assert find_violations() == {}


def test_sealed_auction_with_equal_bids_is_won_by_the_first(sealed, as_user, seller, bidder, rival):
    product = sealed()
    for user in (bidder, rival):
        bid(as_user, product, user, "30")
    closing.close_auction(product_id=product.pk, actor=seller)
    assert Auction.objects.get().winner == bidder


def test_sealed_auction_below_the_reserve_is_unsold(sealed, as_user, seller, bidder):
    product = sealed(reserve_price=Decimal(50))
    bid(as_user, product, bidder, "49.99")
    closing.close_auction(product_id=product.pk, actor=seller)
    auction = Auction.objects.get()
    assert (auction.result, auction.leader, auction.winner) == ("reserve_not_met", bidder, None)
    assert find_violations("auctions") == {}


def test_sealed_auction_does_not_count_a_voided_bid(sealed, as_user, seller, staff, bidder, rival):
    product = sealed()
    for user, amount in ((bidder, "30"), (rival, "45")):
        bid(as_user, product, user, amount)
    voided = Bid.objects.get(bidder=rival)
    answer = as_user(staff).post(address(product, f"bids/{voided.pk}/void/"), {"reason": "A mistake."})
    assert (answer.status_code, answer.json()["current_price"]) == (200, None)
    closing.close_auction(product_id=product.pk, actor=seller)
    assert (Auction.objects.get().winner, Auction.objects.get().hammer_price) == (bidder, 30)
    assert find_violations() == {}


def test_sealed_auction_with_bids_cannot_be_cancelled_by_its_seller(sealed, as_user, seller, bidder):
    product = sealed()
    bid(as_user, product, bidder, "30")
    answer = as_user(seller).post(address(product, "cancel/"))
    assert (answer.status_code, answer.json()["code"]) == (409, "auction_has_bids")


def test_sealed_bid_below_the_starting_bid_or_after_the_end_is_refused(sealed, as_user, bidder):
    product = sealed()
    assert bid(as_user, product, bidder, "0.99").json()["code"] == "bid_too_low"
    auction_helpers.move_end_to_past(product)
    assert bid(as_user, product, bidder, "30").json()["code"] == "auction_not_open"
    assert not Bid.objects.exists()


def test_replay_of_a_sealed_auction_finds_a_changed_winner(sealed, as_user, seller, bidder, rival):
    product = sealed()
    for user, amount in ((bidder, "30"), (rival, "45")):
        bid(as_user, product, user, amount)
    closing.close_auction(product_id=product.pk, actor=seller)
    Auction.objects.update(leader=bidder, winner=bidder)
    assert find_violations("auctions") == {
        "1, 4, 7 each auction's state and end follow from its bids": [
            f"product {product.pk}: leader is {bidder.pk}, its bids give {rival.pk}"
        ]
    }
