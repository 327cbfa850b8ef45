"""Two servers whose clocks differ by five minutes; the database's clock between them decides."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection

from auctioncraft.core import clock
from auctions.models import Auction, Bid
from tests import factories, servers
from tests.races.harness import Served, at_once, bid, end, findings

pytestmark = pytest.mark.servers

APART = timedelta(minutes=5)
BEHIND, AHEAD = -APART / 2, APART / 2


@pytest.fixture(scope="module")
def two(running, django_db_blocker):
    """One server behind the database's clock, one ahead of it."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite is for one machine, which has one clock")
    stack = running[0].stack
    with django_db_blocker.unblock():
        made = []
        for shift in (BEHIND, AHEAD):
            seconds = str(int(shift.total_seconds()))
            made.append(Served(stack, servers.free_port()))
            stack.serve(made[-1].port, "tests.races.wsgi:application", 1, CLOCK_IS_AHEAD_BY=seconds)
        yield made


def signed_in(server, user, by=BEHIND):
    """Return a caller with a token issued by a clock; by default by one that no server finds too new."""
    with time_machine.travel(datetime.now(UTC) + by):
        return server.caller(user)


@pytest.fixture
def callers(two, bidder, rival):
    return [signed_in(server, user) for server, user in zip(two, (bidder, rival), strict=True)]


def at(moment):
    return datetime.fromisoformat(moment)


def running_until(seller, ends_at):
    product = factories.product(seller, soft_close_window=0)
    Auction.objects.filter(pk=product.pk).update(starts_at=clock.now() - timedelta(days=1), ends_at=ends_at)
    return product


@pytest.mark.parametrize("without", ["", "clock"])
def test_servers_with_different_clocks_accept_bids_until_the_end_only(two, callers, seller, without):
    altered = {"X-Disable": without}
    # By the clock that is ahead it is over; after `end`, by the one that is behind it is not.
    product = running_until(seller, clock.now() + timedelta(minutes=1))
    before = [bid(caller, product, amount=str(10 + place))(**altered) for place, caller in enumerate(callers)]
    end(product)
    after = [bid(caller, product, amount=str(20 + place))(**altered) for place, caller in enumerate(callers)]

    if not without:
        assert [status for status, _ in before] == [201, 201]
        assert [(status, answer["code"]) for status, answer in after] == [(409, "auction_not_open")] * 2
        assert findings() == set()
    else:
        # Each uses its own clock: one refuses before the end, one accepts after it.
        assert [status for status, _ in before] == [201, 409]
        assert [status for status, _ in after] == [201, 409]


def test_servers_with_different_clocks_refuse_bids_before_the_start(two, callers, seller):
    product = factories.product(seller)
    Auction.objects.update(starts_at=clock.now() + timedelta(minutes=1))
    for caller in callers:
        status, answer = caller.bid(product, amount="10")
        assert (status, answer["code"]) == (409, "auction_not_open")


def test_servers_with_different_clocks_agree_on_bids_around_the_end(two, callers, seller):
    """Bid until refused: both servers accept until the end by the database's clock, not after it."""
    end_at = clock.now() + timedelta(seconds=1)
    product = running_until(seller, end_at)

    def bid_to_the_end(caller, first):
        answers = []
        while not answers or answers[-1][1].get("code") != "auction_not_open":
            answers.append(caller.bid(product, amount=str(first + 2 * len(answers))))
        return answers

    made = at_once(*(lambda caller=caller, first=first: bid_to_the_end(caller, first) for first, caller in
                     enumerate(callers, 10)))  # fmt: skip
    refused_at = clock.now()
    assert refused_at >= end_at
    for answers in made:
        accepted = [answer for status, answer in answers if status == 201]
        assert accepted
        assert {status for status, _ in answers} <= {201, 400, 409}
        assert all(at(answer["bid"]["placed_at"]) < end_at for answer in accepted)
        assert all(at(answer["server_time"]) < end_at for answer in accepted)
    moments = list(Bid.objects.order_by("version", "position").values_list("placed_at", flat=True))
    assert moments == sorted(moments)
    assert moments[-1] > end_at - timedelta(milliseconds=500), "nobody bid near the end"
    assert findings() == set()


def test_soft_close_uses_the_clock_of_the_database(two, callers, seller):
    for place, caller in enumerate(callers):
        product = factories.product(seller, soft_close_window=60, soft_close_extension=90)
        Auction.objects.filter(pk=product.pk).update(ends_at=clock.now() + timedelta(seconds=30))
        start = clock.now()
        status, answer = caller.bid(product, amount=str(10 + place))
        ends_at = at(answer["product"]["ends_at"])
        assert status == 201
        assert start + timedelta(seconds=90) <= ends_at <= clock.now() + timedelta(seconds=90)


def test_token_lifetime_uses_the_clock_of_the_server(two, bidder):
    """The limit that docs/operations.md gives for clocks that differ."""
    behind, ahead = two
    assert signed_in(ahead, bidder, by=BEHIND).send("GET", "/api/bids/")[0] == 200
    status, answer = signed_in(behind, bidder, by=AHEAD).send("GET", "/api/bids/")
    assert (status, answer["code"]) == (401, "token_not_valid")
