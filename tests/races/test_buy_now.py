"""Buy now with concurrent bids and buyers: one buyer, or a bid that ends the offer."""

import random
from decimal import Decimal
from functools import partial

import pytest

from auctioncraft.models import IdempotencyKey
from auctions.models import Auction, AuctionEvent, Bid
from payments.models import Order
from tests import factories
from tests.races.harness import BID_WRITES, act, at_once, bid, findings, interleave

pytestmark = pytest.mark.servers

ROUNDS = 15


def offered(seller):
    return factories.product(seller, buy_now_price=Decimal(50))


def test_bid_and_buy_now_at_once_accept_one(server, seller, bidder, rival):
    chance = random.Random(3)
    buyer, bidding = server.caller(bidder), server.caller(rival)
    for _ in range(ROUNDS):
        product = offered(seller)
        calls = {"buy": act(buyer, product, "buy_now", price="50"), "bid": bid(bidding, product, amount="10")}
        order = chance.sample(list(calls), 2)
        answers = dict(zip(order, at_once(*(calls[name] for name in order)), strict=True))

        auction = Auction.objects.get(pk=product.pk)
        if answers["buy"][0] == 200:
            assert (answers["bid"][0], answers["bid"][1]["code"]) == (409, "auction_not_open")
            assert (auction.sale_type, auction.winner, auction.hammer_price, auction.bid_count) == (
                "buy_now",
                bidder,
                50,
                0,
            )
        else:
            assert (answers["buy"][0], answers["buy"][1]["code"]) == (409, "buy_now_unavailable")
            assert answers["bid"][0] == 201
            assert (auction.status, auction.leader, auction.price) == ("open", rival, 10)
        assert Order.objects.filter(product=product).count() == (answers["buy"][0] == 200)
        assert Bid.objects.filter(product=product).count() == (answers["bid"][0] == 201)
    assert findings() == set()


def test_many_buyers_at_once_sell_to_one(server, seller):
    callers = [server.caller(factories.user(f"buyer{n}@example.com")) for n in range(8)]
    for _ in range(ROUNDS):
        product = offered(seller)
        answers = at_once(*(act(caller, product, "buy_now", price="50") for caller in callers))
        assert sorted(status for status, _ in answers) == [200] + [409] * 7
        assert {answer["code"] for status, answer in answers if status == 409} == {"auction_not_open"}
        (winner,) = [caller.user for caller, (status, _) in zip(callers, answers, strict=True) if status == 200]
        assert Order.objects.get(product=product).buyer == winner
        assert AuctionEvent.objects.filter(product=product).count() == 1
    assert findings() == set()


def test_buy_now_with_one_key_from_ten_connections_buys_once(server, seller, bidder):
    callers = [server.caller(bidder) for _ in range(10)]
    for number in range(5):
        product = offered(seller)
        key = {"Idempotency-Key": f"buy {number}"}
        answers = at_once(*(partial(act(caller, product, "buy_now", price="50"), **key) for caller in callers))
        assert [status for status, _ in answers] == [200] * 10, answers
        assert all(answer == answers[0][1] for _, answer in answers)
        assert Order.objects.get(product=product).buyer == bidder
    assert IdempotencyKey.objects.count() == 5
    assert findings() == set()


@pytest.mark.parametrize("without", ["", "lock"])
def test_buy_now_before_a_bid_refuses_the_bid(unsafe_server, seller, bidder, rival, without):
    product = offered(seller)
    buy, placed = (
        act(unsafe_server.caller(bidder), product, "buy_now", price="50"),
        bid(unsafe_server.caller(rival), product, amount="10"),
    )
    (bought, answer), (status, refusal) = interleave(buy, placed, without=without)

    if not without:
        assert (bought, status, refusal["code"]) == (200, 409, "auction_not_open")
    else:
        # It was no longer available, and the unique (product, seq) gives the buyer an error instead of a refusal.
        assert (bought, answer["code"], status) == (500, "server_error", 201)
    assert findings() == set()


@pytest.mark.parametrize("without", ["", "version", "version status"])
def test_bid_overtaken_by_buy_now_is_refused(unsafe_server, seller, bidder, rival, without):
    product = offered(seller)
    placed, buy = (
        bid(unsafe_server.caller(rival), product, amount="10"),
        act(unsafe_server.caller(bidder), product, "buy_now", price="50"),
    )
    (status, answer), (bought, _) = interleave(placed, buy, without=without, stop=BID_WRITES)

    assert (bought, Order.objects.count(), Bid.objects.count()) == (200, 1, 0)
    # Either condition alone is enough; without both the unique (product, seq) remains.
    expected = (500, "server_error") if without == "version status" else (409, "auction_not_open")
    assert (status, answer["code"]) == expected
    assert findings() == set()


@pytest.mark.parametrize("without", ["", "lock"])
def test_buy_now_before_another_refuses_the_other(unsafe_server, seller, bidder, rival, without):
    product = offered(seller)
    (status, answer), (overtook, late) = interleave(
        *(act(unsafe_server.caller(user), product, "buy_now", price="50") for user in (bidder, rival)), without=without
    )
    if not without:
        assert (status, overtook, late["code"]) == (200, 409, "auction_not_open")
    else:
        assert (status, answer["code"], overtook) == (500, "server_error", 200)
    assert Order.objects.get().buyer == (rival if without else bidder)
    assert findings() == set()
