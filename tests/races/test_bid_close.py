"""A bid and a concurrent close: the bid comes before the close or after it, never both."""

import random

import pytest

from auctions.models import Auction, AuctionEvent, Bid
from auctions.tests import auction_helpers
from payments.models import Order
from tests import factories
from tests.races.harness import BID_WRITES, REPLAY, act, at_once, bid, findings, interleave

pytestmark = [pytest.mark.sqlite, pytest.mark.servers]

ROUNDS = 20


@pytest.fixture
def led(seller, bidder):
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, "10")
    return product


def test_close_beside_bids_counts_every_accepted_bid(server, seller, bidder, rival):
    chance = random.Random(3)
    closer, leader, other = (server.caller(user) for user in (seller, bidder, rival))
    for _ in range(ROUNDS):
        product = factories.product(seller)
        auction_helpers.bid(product, bidder, "10")
        calls = {
            "close": act(closer, product, "close_auction"),
            "raise": bid(leader, product, max_amount="20"),
            "rival": bid(other, product, amount="40"),
        }
        order = chance.sample(list(calls), len(calls))
        answers = dict(zip(order, at_once(*(calls[name] for name in order)), strict=True))

        status, closed = answers.pop("close")
        assert status == 200
        accepted = [name for name, (status, _) in answers.items() if status == 201]
        refused = [answer["code"] for status, answer in answers.values() if status != 201]
        # A raise after the rival's 40 is too low.
        assert set(refused) <= {"auction_not_open", "bid_too_low"}
        sold_to = rival if "rival" in accepted else bidder
        assert closed["winner"]["id"] == sold_to.pk
        assert closed["final_price"] == ("40.00" if sold_to == rival else "10.00")
        assert Bid.objects.filter(product=product).exclude(outcome="automatic").count() == 1 + len(accepted)
        assert AuctionEvent.objects.filter(product=product, kind="closed").count() == 1
        assert Order.objects.get(product=product).buyer == sold_to
    assert findings() == set()


@pytest.mark.parametrize("without", ["", "lock"])
def test_close_before_a_bid_refuses_the_bid(unsafe_server, seller, bidder, led, without):
    close = act(unsafe_server.caller(seller), led, "close_auction")
    raised = bid(unsafe_server.caller(bidder), led, max_amount="50")
    (closed, _), (status, answer) = interleave(close, raised, without=without)

    assert closed == 200
    if not without:
        assert (status, answer["code"]) == (409, "auction_not_open")
        assert findings() == set()
    else:
        # A raised maximum has no event whose seq would prevent this: it was accepted and overwritten.
        assert status == 201
        assert Auction.objects.get().leader_max == 10
        assert REPLAY in findings()


@pytest.mark.parametrize("without", ["", "version", "status", "version status"])
def test_bid_overtaken_by_a_close_is_refused(unsafe_server, seller, bidder, led, without):
    raised = bid(unsafe_server.caller(bidder), led, max_amount="50")
    close = act(unsafe_server.caller(seller), led, "close_auction")
    (status, answer), (closed, _) = interleave(raised, close, without=without, stop=BID_WRITES)

    assert (closed, Order.objects.count()) == (200, 1)
    if without != "version status":
        # Either condition alone is enough.
        assert (status, answer["code"]) == (409, "auction_not_open")
        assert findings() == set()
    else:
        assert status == 201, "a bid after the close"
        assert "2 each product's event log has no gaps" in findings(), "seq went back"
