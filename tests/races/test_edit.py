"""Edits and deletions with concurrent bids, buyers and edits: everyone acts on the current terms."""

import random
from decimal import Decimal

import pytest

from auctions.models import Auction, AuctionEvent, Bid, Product
from payments.models import Order
from tests import factories
from tests.races.harness import BID_WRITES, act, at_once, bid, findings, interleave

pytestmark = pytest.mark.servers

ROUNDS = 15


def edit(caller, product, **changes):
    return act(caller, product, "", method="PATCH", **changes)


def delete(caller, product):
    return act(caller, product, "", method="DELETE")


def test_first_bid_and_edit_at_once_agree_on_the_terms(server, seller, bidder):
    chance = random.Random(3)
    selling, bidding = server.caller(seller), server.caller(bidder)
    for _ in range(ROUNDS):
        product = factories.product(seller)
        calls = {"edit": edit(selling, product, starting_bid="50.00"), "bid": bid(bidding, product, amount="10")}
        order = chance.sample(list(calls), 2)
        answers = dict(zip(order, at_once(*(calls[name] for name in order)), strict=True))
        product.refresh_from_db()
        if answers["bid"][0] == 201:
            assert (answers["edit"][0], answers["edit"][1]["code"]) == (409, "auction_has_bids")
            assert product.starting_bid == 1
        else:
            assert (answers["bid"][0], answers["bid"][1]["code"]) == (400, "bid_too_low")
            assert answers["bid"][1]["minimum_bid"] == "50.00"
            assert (answers["edit"][0], product.starting_bid) == (200, 50)
    assert findings() == set()


def test_first_bid_and_deletion_at_once_do_one(server, seller, bidder):
    chance = random.Random(3)
    selling, bidding = server.caller(seller), server.caller(bidder)
    for _ in range(ROUNDS):
        product = factories.product(seller)
        calls = {"delete": delete(selling, product), "bid": bid(bidding, product, amount="10")}
        order = chance.sample(list(calls), 2)
        answers = dict(zip(order, at_once(*(calls[name] for name in order)), strict=True))
        if answers["bid"][0] == 201:
            assert (answers["delete"][0], answers["delete"][1]["code"]) == (409, "auction_has_bids")
            assert Bid.objects.filter(product=product).count() == 1
        else:
            assert (answers["bid"][0], answers["delete"][0]) == (404, 204)
            assert not Product.objects.filter(pk=product.pk).exists()
    assert findings() == set()


@pytest.mark.parametrize("without", ["", "lock"])
def test_edit_before_a_bid_applies_to_the_bid(unsafe_server, seller, bidder, without):
    product = factories.product(seller)
    changed = edit(unsafe_server.caller(seller), product, starting_bid="50.00")
    placed = bid(unsafe_server.caller(bidder), product, amount="10")
    (status, answer), (bid_status, refusal) = interleave(changed, placed, without=without)

    if not without:
        assert (status, bid_status, refusal["code"]) == (200, 400, "bid_too_low")
    else:
        # There is a bid: an error from the unique (product, seq) instead of 409.
        assert (status, answer["code"], bid_status) == (500, "server_error", 201)
    assert findings() == set()


@pytest.mark.parametrize("without", ["", "version"])
def test_bid_overtaken_by_an_edit_is_evaluated_again(unsafe_server, seller, bidder, without):
    product = factories.product(seller)
    placed = bid(unsafe_server.caller(bidder), product, amount="10")
    changed = edit(unsafe_server.caller(seller), product, starting_bid="50.00")
    (bid_status, answer), (status, _) = interleave(placed, changed, without=without, stop=BID_WRITES)

    assert (status, Bid.objects.count()) == (200, 0)
    expected = (500, "server_error") if without else (400, "bid_too_low")
    assert (bid_status, answer["code"]) == expected
    assert findings() == set()


@pytest.mark.parametrize("without", ["", "lock"])
def test_edit_before_another_keeps_both(unsafe_server, seller, without):
    product = factories.product(seller)
    name, text = (
        edit(unsafe_server.caller(seller), product, **changes)
        for changes in ({"name": "Lamp"}, {"description": "Brass."})
    )
    (status, _), (overtook, _) = interleave(name, text, without=without)

    product.refresh_from_db()
    assert overtook == 200
    if not without:
        assert (status, product.name, product.description) == (200, "Lamp", "Brass."), "one edit overwrote the other"
        assert list(AuctionEvent.objects.values_list("seq", flat=True)) == [1, 2]
    else:
        assert status == 500
    assert findings() == set()


@pytest.mark.parametrize("without", ["", "lock"])
def test_buy_now_beside_an_edit_buys_at_the_price_seen_or_not(unsafe_server, seller, bidder, without):
    product = factories.product(seller, buy_now_price=Decimal(50))
    dearer = edit(unsafe_server.caller(seller), product, buy_now_price="90.00")
    (status, answer), (bought, refusal) = interleave(
        dearer, act(unsafe_server.caller(bidder), product, "buy_now", price="50"), without=without
    )
    product.refresh_from_db()
    if not without:
        assert (status, product.buy_now_price) == (200, 90)
        assert (bought, refusal["code"], refusal["price"]) == (409, "price_changed", "90.00")
        assert Order.objects.count() == 0
    else:
        # It bought before the edit was written, whose event then has no number left.
        assert (status, answer["code"], product.buy_now_price) == (500, "server_error", 50)
        assert (bought, Order.objects.get().total) == (200, 50)
    assert findings() == set()


@pytest.mark.parametrize("without", ["", "lock"])
def test_deletion_before_a_bid_makes_the_bid_not_found(unsafe_server, seller, bidder, without):
    product = factories.product(seller)
    placed = bid(unsafe_server.caller(bidder), product, amount="10")
    (status, answer), (bid_status, _) = interleave(
        delete(unsafe_server.caller(seller), product), placed, without=without
    )

    if not without:
        assert (status, bid_status, Product.objects.count()) == (204, 404, 0)
    else:
        # The bid's foreign key prevents the deletion, with an error instead of 409.
        assert (status, answer["code"], bid_status, Bid.objects.count()) == (500, "server_error", 201, 1)


def test_bid_overtaken_by_a_deletion_is_not_found(unsafe_server, seller, bidder):
    product = factories.product(seller)
    placed = bid(unsafe_server.caller(bidder), product, amount="10")
    (bid_status, _), (status, _) = interleave(placed, delete(unsafe_server.caller(seller), product), stop=BID_WRITES)
    assert (bid_status, status, Bid.objects.count(), Auction.objects.count()) == (404, 204, 0, 0)
