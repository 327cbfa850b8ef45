"""Concurrent bids on one product: each is evaluated on the state that it changes."""

from decimal import Decimal

import pytest
from django.db import connection

from auctions.models import Auction, Bid
from auctions.tests import auction_helpers
from tests import factories
from tests.races.harness import BID_WRITES, REPLAY, at_once, bid, findings, interleave

pytestmark = [pytest.mark.sqlite, pytest.mark.servers]

ROUNDS, BIDDERS = 20, 8


def test_equal_bids_at_once_accept_one_and_refuse_the_others_with_the_next_minimum(server, seller):
    product = factories.product(seller, bid_increment=Decimal(1))
    callers = [server.caller(factories.user(f"bidder{n}@example.com")) for n in range(BIDDERS)]
    for price in range(1, ROUNDS + 1):
        leader = Auction.objects.get().leader_id
        answers = at_once(*(bid(caller, product, amount=str(price)) for caller in callers if caller.user.pk != leader))
        (accepted,) = [answer for status, answer in answers if status == 201]
        assert accepted["outcome"] == "leading"
        refused = [(status, answer["code"], answer["minimum_bid"]) for status, answer in answers if status != 201]
        assert refused == [(400, "bid_too_low", f"{price + 1}.00")] * (len(answers) - 1)
    assert [bid.displayed_amount for bid in Bid.objects.all()] == list(range(1, ROUNDS + 1))
    assert findings() == set()


def test_maxima_of_one_leader_at_once_keep_the_highest(server, seller, bidder):
    callers = [server.caller(bidder) for _ in range(6)]
    for _ in range(ROUNDS):
        product = factories.product(seller)
        auction_helpers.bid(product, bidder, "10")
        answers = at_once(*(bid(caller, product, max_amount=str(20 + n)) for n, caller in enumerate(callers)))
        outcomes = [answer.get("outcome") or answer["code"] for _, answer in answers]
        assert outcomes[-1] == "maximum_raised"
        assert set(outcomes) <= {"maximum_raised", "maximum_not_raised"}
        assert Auction.objects.get(pk=product.pk).leader_max == 25
        assert Bid.objects.filter(product=product).count() == 1 + outcomes.count("maximum_raised")
    assert findings() == set()


@pytest.mark.parametrize("without", ["", "version"])
def test_bid_overtaken_by_a_bid_is_evaluated_again(unsafe_server, seller, bidder, rival, without):
    product = factories.product(seller)
    slow, fast = (
        bid(unsafe_server.caller(user), product, amount=amount) for user, amount in ((bidder, "10"), (rival, "30"))
    )
    (status, answer), (overtook, _) = interleave(slow, fast, without=without, stop=BID_WRITES)

    auction = Auction.objects.get()
    assert (overtook, auction.leader, auction.price, Bid.objects.count()) == (201, rival, 30, 1)
    assert findings() == set()
    if without:
        # The unique (product, seq) still prevents a second write, with an error instead of an answer.
        assert (status, answer["code"]) == (500, "server_error")
    else:
        assert (status, answer["code"], answer["minimum_bid"]) == (400, "bid_too_low", "31.00")


@pytest.mark.parametrize("without", ["", "version"])
def test_maximum_overtaken_by_a_maximum_is_evaluated_again(unsafe_server, seller, bidder, without):
    """Nothing public changes, so no event's seq prevents the second write."""
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, "10")
    slow, fast = (bid(unsafe_server.caller(bidder), product, max_amount=amount) for amount in ("100", "200"))
    (status, answer), (overtook, _) = interleave(slow, fast, without=without, stop=BID_WRITES)

    assert overtook == 201
    if not without:
        assert (status, answer["code"]) == (409, "maximum_not_raised")
        assert (Auction.objects.get().leader_max, findings()) == (200, set())
    elif connection.vendor == "postgresql":
        assert (status, answer["outcome"]) == (201, "maximum_raised")
        assert Auction.objects.get().leader_max == 100, "an accepted 200 is gone"
        assert REPLAY in findings()
    else:
        # Both write version 2, and (product, version, position) is unique.
        assert (status, answer["code"]) == (500, "server_error")
