"""A bid and a concurrent void of another: the auction follows from the valid bids."""

import random
from decimal import Decimal

import pytest

from auctions.models import Auction, Bid, BidVoid
from auctions.tests import auction_helpers
from tests import factories
from tests.races.harness import BID_WRITES, REPLAY, act, at_once, bid, findings, interleave

pytestmark = pytest.mark.servers

ROUNDS = 15


def contested(seller, bidder, rival):
    """Return a product on which `rival` leads by proxy, and the bid of `bidder` that they outbid."""
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, "10")
    auction_helpers.bid(product, rival, max_amount="30")
    return product, Bid.objects.get(product=product, bidder=bidder)


def void(caller, product, voided):
    return act(caller, product, f"bids/{voided.pk}/void", reason="Not a serious bid.")


def test_void_beside_bids_leads_to_the_state_of_the_other_bids(server, seller, staff, bidder, rival):
    chance = random.Random(3)
    voiding, leading, other = (server.caller(user) for user in (staff, rival, factories.user("third@example.com")))
    for _ in range(ROUNDS):
        product, voided = contested(seller, bidder, rival)
        calls = {
            "void": void(voiding, product, voided),
            "raise": bid(leading, product, max_amount="50"),
            "bid": bid(other, product, amount="40"),
        }
        order = chance.sample(list(calls), len(calls))
        answers = dict(zip(order, at_once(*(calls[name] for name in order)), strict=True))
        assert answers["void"][0] == 200
        assert (answers["raise"][0], answers["bid"][0]) == (201, 201)
        auction = Auction.objects.get(pk=product.pk)
        # 40 and a proxy of 50, in either order: 41.
        assert (auction.leader, auction.leader_max, auction.price) == (rival, 50, 41)
    assert findings() == set()


def test_many_voids_of_one_bid_succeed_once(server, seller, staff, bidder, rival):
    callers = [server.caller(staff) for _ in range(6)]
    for _ in range(5):
        product, voided = contested(seller, bidder, rival)
        answers = at_once(*(void(caller, product, voided) for caller in callers))
        assert sorted(status for status, _ in answers) == [200] + [409] * 5
        assert {answer["code"] for status, answer in answers if status == 409} == {"bid_already_voided"}
        assert BidVoid.objects.filter(product=product).count() == 1
    assert findings() == set()


@pytest.mark.parametrize("without", ["", "lock"])
def test_void_before_a_bid_keeps_the_bid(unsafe_server, seller, staff, bidder, rival, without):
    product, voided = contested(seller, bidder, rival)
    raised = bid(unsafe_server.caller(rival), product, max_amount="50")
    (status, _), (bid_status, _) = interleave(
        void(unsafe_server.caller(staff), product, voided), raised, without=without
    )

    assert (status, bid_status) == (200, 201)
    auction = Auction.objects.get()
    assert auction.price == 1
    # Without the lock the void overwrites an accepted maximum with the old one.
    assert auction.leader_max == (30 if without else 50)
    assert (REPLAY in findings()) == bool(without)
    assert without or findings() == set()


@pytest.mark.parametrize("without", ["", "version"])
def test_bid_overtaken_by_a_void_is_evaluated_again(unsafe_server, seller, staff, bidder, rival, without):
    product, voided = contested(seller, bidder, rival)
    raised = bid(unsafe_server.caller(rival), product, max_amount="50")
    (bid_status, _), (status, _) = interleave(
        raised, void(unsafe_server.caller(staff), product, voided), without=without, stop=BID_WRITES
    )
    assert (status, bid_status) == (200, 201)
    # Without the version the bid writes the price from before the void.
    assert Auction.objects.get().price == (Decimal("10.50") if without else 1)
    assert bool(findings()) == bool(without)


@pytest.mark.parametrize("without", ["", "lock"])
def test_void_before_another_void_makes_the_other_fail(unsafe_server, seller, staff, bidder, rival, without):
    product, voided = contested(seller, bidder, rival)
    one, other = (void(unsafe_server.caller(staff), product, voided) for _ in range(2))
    (status, answer), (overtook, late) = interleave(one, other, without=without)
    if not without:
        assert (status, overtook, late["code"]) == (200, 409, "bid_already_voided")
    else:
        assert (status, answer["code"], overtook) == (500, "server_error", 200)
    assert BidVoid.objects.count() == 1
    assert findings() == set()


@pytest.mark.parametrize("without", ["", "lock"])
def test_void_before_a_close_changes_its_result(unsafe_server, seller, staff, bidder, without):
    """The highest bid is voided while the auction closes: no voided bid wins."""
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, "10")
    voids = void(unsafe_server.caller(staff), product, Bid.objects.get())
    (status, answer), (closed, result) = interleave(
        voids, act(unsafe_server.caller(seller), product, "close_auction"), without=without
    )
    if not without:
        assert (status, closed, result["result"]) == (200, 200, "no_bids")
    else:
        assert (status, answer["code"], closed, result["result"]) == (500, "server_error", 200, "sold")
    assert findings() == set()
