"""GET /api/bids/: the state of a bidder after an auction has ended, in every way."""

from decimal import Decimal

import pytest

from auctions.models import Bid
from auctions.services import buying, closing, relisting, sale_outcome, second_chance, voiding
from auctions.tests import auction_helpers
from payments.models import Order
from payments.services import expiry
from tests import factories
from tests.time_travel import advance_time

pytestmark = pytest.mark.django_db
URL = "/api/bids/"


@pytest.fixture
def states(as_user, bidder, rival):
    """Return what each of the two bidders reads about the product."""
    callers = as_user(bidder), as_user(rival)

    def read():
        rows = [caller.get(URL).json()["results"] for caller in callers]
        return tuple(row[0]["state"] if row else None for row in rows)

    return read


@pytest.fixture
def product(seller, bidder, rival):
    """`rival` was outbid by `bidder`, who leads at 40 below the reserve of 50."""
    product = factories.product(seller, reserve_price=Decimal(50), buy_now_price=Decimal(90))
    auction_helpers.bid(product, rival, "20")
    auction_helpers.bid(product, bidder, "40")
    return product


def test_my_bids_of_scheduled_open_and_ended_auctions(states, product):
    assert states() == ("leading", "outbid")
    auction_helpers.move_end_to_past(product)
    assert states() == ("leading", "outbid")


def test_my_bids_of_cancelled_auction(states, product, staff):
    closing.cancel_auction(product_id=product.pk, actor=staff, reason="A slip.")
    assert states() == ("lost", "lost")


def test_my_bids_of_reserve_not_met_then_waived(states, product, seller):
    closing.close_auction(product_id=product.pk, actor=seller)
    assert states() == ("lost", "lost")
    closing.accept_below_reserve(product_id=product.pk, actor=seller)
    assert states() == ("owing", "lost")


def test_my_bids_of_relisted_product(states, product, seller):
    closing.close_auction(product_id=product.pk, actor=seller)
    relisting.relist(product_id=product.pk, actor=seller, changes={})
    assert states() == ("lost", "lost")


def test_my_bids_of_product_bought_by_another(states, product, rival):
    buying.buy_now(product_id=product.pk, buyer=rival, price=Decimal(90))
    assert states() == ("lost", "owing")


def test_my_bids_after_buy_now_without_bid_is_empty(as_user, product):
    third = factories.user("third@example.com")
    buying.buy_now(product_id=product.pk, buyer=third, price=Decimal(90))
    assert as_user(third).get(URL).json()["count"] == 0


def test_my_bids_of_unpaid_sale_then_second_chance(states, product, seller, rival):
    closing.close_auction(product_id=product.pk, actor=seller, accept_below_reserve=True)
    assert states() == ("owing", "lost")
    advance_time(product, hours=96)
    expiry.expire_due()
    assert states() == ("lost", "lost")
    second_chance.offer(product_id=product.pk, actor=seller)
    assert states() == ("lost", "lost")
    second_chance.accept(product_id=product.pk, bidder=rival)
    assert states() == ("lost", "owing")
    sale_outcome.record_payment(product_id=product.pk, at=Order.objects.get(buyer=rival).created_at)
    assert states() == ("lost", "won")


def test_my_bids_of_voided_bid(as_user, states, product, bidder, staff):
    own = Bid.objects.get(bidder=bidder)
    auction_helpers.bid(product, bidder, max_amount="45")
    voiding.void_bid(product_id=product.pk, bid_id=own.pk, actor=staff, reason="No.")
    row = as_user(bidder).get(URL).json()["results"][0]
    assert (states(), row["my_maximum"], row["product"]["current_price"]) == (("leading", "outbid"), "45.00", "45.00")
    raised = Bid.objects.get(bidder=bidder, max_amount=45)
    voiding.void_bid(product_id=product.pk, bid_id=raised.pk, actor=staff, reason="No.")
    assert states() == (None, "leading")
