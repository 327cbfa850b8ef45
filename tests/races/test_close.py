"""Concurrent closes by people and workers, and cancellations by staff: one result."""

from datetime import timedelta

import pytest

from auctioncraft.core import clock
from auctions.models import Auction, AuctionEvent
from auctions.services.closing import close_due
from auctions.tests import auction_helpers
from payments.models import Order
from tests import factories
from tests.races.harness import act, at_once, end, findings, interleave, job

pytestmark = [pytest.mark.sqlite, pytest.mark.servers]

ROUNDS = 15
ENDINGS = ("closed", "cancelled")


def endings(product):
    return AuctionEvent.objects.filter(product=product, kind__in=ENDINGS).count()


def test_many_closers_at_once_close_once(server, seller, staff, bidder):
    callers = [server.caller(user) for user in (seller, staff) for _ in range(4)]
    for _ in range(ROUNDS):
        product = factories.product(seller)
        auction_helpers.bid(product, bidder, "10")
        answers = at_once(*(act(caller, product, "close_auction") for caller in callers))
        assert sorted(status for status, _ in answers) == [200] + [409] * 7
        assert {answer["code"] for status, answer in answers if status == 409} == {"auction_already_closed"}
        assert (endings(product), Order.objects.filter(product=product).count()) == (1, 1)
    assert findings() == set()


def test_closers_beside_workers_close_once(server, seller, staff, bidder):
    callers = [server.caller(user) for user in (seller, staff)]
    for _ in range(ROUNDS):
        product = factories.product(seller, soft_close_window=0)
        auction_helpers.bid(product, bidder, "10")
        end(product)
        people = [act(caller, product, "close_auction") for caller in callers]
        *answers, first, second = at_once(*people, job(close_due), job(close_due))
        closed = [status for status, _ in answers].count(200) + first + second
        assert (closed, endings(product), Order.objects.filter(product=product).count()) == (1, 1, 1)
    assert findings() == set()


def test_close_and_cancel_at_once_do_one(server, seller, staff, bidder):
    by_seller, by_staff = server.caller(seller), server.caller(staff)
    for _ in range(ROUNDS):
        product = factories.product(seller)
        auction_helpers.bid(product, bidder, "10")
        closed, cancelled = at_once(
            act(by_seller, product, "close_auction"), act(by_staff, product, "cancel", reason="A test.")
        )
        assert sorted((closed[0], cancelled[0])) == [200, 409]
        status = Auction.objects.get(pk=product.pk).status
        assert status == ("sold" if closed[0] == 200 else "cancelled")
        assert endings(product) == 1
        assert Order.objects.filter(product=product).exists() == (status == "sold")
    assert findings() == set()


@pytest.mark.parametrize("without", ["", "lock"])
@pytest.mark.parametrize(
    ("first", "second"), [("close_auction", "close_auction"), ("close_auction", "cancel"), ("cancel", "close_auction")]
)
def test_close_or_cancel_before_another_refuses_the_other(unsafe_server, seller, staff, bidder, first, second, without):
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, "10")
    slow = act(unsafe_server.caller(staff), product, first, reason="A test.")
    fast = act(unsafe_server.caller(seller), product, second)
    if second == "cancel":
        fast = act(unsafe_server.caller(staff), product, second, reason="A test.")
    (status, answer), (overtook, late) = interleave(slow, fast, without=without)

    if not without:
        assert (status, overtook, late["code"]) == (200, 409, "auction_already_closed")
    else:
        # Both found it open. The unique (product, seq) prevents a second close, with an error instead of an answer.
        assert (status, answer["code"], overtook) == (500, "server_error", 200)
    assert endings(product) == 1
    assert findings() == set()


@pytest.mark.parametrize("without", ["", "lock"])
def test_worker_close_before_a_person_refuses_the_person(unsafe_server, seller, bidder, caplog, without):
    product = factories.product(seller, soft_close_window=0)
    auction_helpers.bid(product, bidder, "10")
    end(product)
    closed, (status, answer) = interleave(
        job(close_due), act(unsafe_server.caller(seller), product, "close_auction"), without=without
    )
    if not without:
        assert (closed, status, answer["code"]) == (1, 409, "auction_already_closed")
    else:
        assert (closed, status) == (0, 200)
        assert "IntegrityError" in caplog.text
    assert (endings(product), Order.objects.count()) == (1, 1)
    assert findings() == set()


@pytest.mark.parametrize("without", ["", "lock"])
def test_extension_before_a_worker_keeps_the_auction_open(unsafe_server, seller, staff, without):
    product = factories.product(seller, soft_close_window=0)
    end(product)
    later = clock.isoformat_utc(clock.now() + timedelta(hours=1))
    (status, answer), closed = interleave(
        act(unsafe_server.caller(staff), product, "extend", ends_at=later, reason="A test."),
        job(close_due),
        without=without,
    )
    if not without:
        assert (status, closed, Auction.objects.get().status) == (200, 0, "open")
    else:
        assert (status, answer["code"], closed) == (500, "server_error", 1)
