"""Each race of bids and closes with its check or lock, and without it.

Nothing depends on timing: a barrier lets nobody write until all have read.
"""

import threading
from contextlib import nullcontext, suppress
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest
from django.db import IntegrityError, connection

from auctioncraft.core import clock
from auctioncraft.core.errors import DomainError
from auctions.models import Auction, AuctionEvent, Bid
from auctions.services import bidding, closing, locking
from auctions.services.bid_store import store
from auctions.services.bidding import place_bid
from auctions.services.closing import close_auction, close_due
from payments.models import Order
from tests import factories
from tests.races.guards_disabled import disable_in_bids
from tests.violations import find_violations

pytestmark = [pytest.mark.sqlite, pytest.mark.django_db(transaction=True)]

REPLAY = "1, 4, 7 each auction's state and end follow from its bids"


def findings():
    return find_violations("auctions").keys()


def at_once(*work):
    """Run in threads; return the result or exception of each."""
    results = [None] * len(work)

    def run(place):
        try:
            results[place] = work[place]()
        except Exception as error:  # noqa: BLE001
            results[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def all_look_before_one_writes(monkeypatch, parties):
    """Make each thread wait after its first read until all have read."""
    barrier, mine, look = threading.Barrier(parties, timeout=20), threading.local(), store().read_snapshot

    def look_and_wait(**asked):
        seen = look(**asked)
        if not getattr(mine, "looked", False):
            mine.looked = True
            barrier.wait()
        return seen

    monkeypatch.setattr(store(), "read_snapshot", look_and_wait)


def bid(product, bidder, **offer):
    return lambda: place_bid(
        product_id=product.pk, bidder_id=bidder.pk, **{name: Decimal(value) for name, value in offer.items()}
    )


def two_rivals(seller, bidder, rival):
    product = factories.product(seller)
    return at_once(bid(product, bidder, amount="10"), bid(product, rival, amount="30"))


def two_maxima_of_the_leader(product, bidder):
    """Both are valid when read; written in the wrong order, the higher one is lost."""
    return at_once(bid(product, bidder, max_amount="200"), bid(product, bidder, max_amount="100"))


@pytest.fixture
def led(seller, bidder):
    product = factories.product(seller)
    bid(product, bidder, amount="10")()
    return product


def test_bids_two_read_at_once_evaluate_the_second_again(seller, bidder, rival, monkeypatch):
    all_look_before_one_writes(monkeypatch, 2)
    first, second = two_rivals(seller, bidder, rival)

    auction = Auction.objects.get()
    assert (auction.leader, auction.price) == (rival, 30)
    assert second["outcome"] == "leading"
    # 10 came before 30, or was refused.
    assert auction.bid_count == 2 if isinstance(first, dict) else (auction.bid_count, first.code) == (1, "bid_too_low")
    assert findings() == set()


def test_bids_two_without_version_check_break_the_log_constraint(seller, bidder, rival, monkeypatch):
    disable_in_bids(monkeypatch, "version")
    all_look_before_one_writes(monkeypatch, 2)
    results = two_rivals(seller, bidder, rival)

    # (product, seq) is unique. The client would get a 500.
    assert sorted(type(result).__name__ for result in results) == ["IntegrityError", "dict"]
    assert Bid.objects.count() == 1


def test_maximums_two_at_once_are_both_kept(led, bidder, monkeypatch):
    all_look_before_one_writes(monkeypatch, 2)
    results = two_maxima_of_the_leader(led, bidder)

    assert Auction.objects.get().leader_max == 200
    assert {result["outcome"] if isinstance(result, dict) else result.code for result in results} <= {
        "maximum_raised",
        "maximum_not_raised",
    }
    assert findings() == set()


def test_maximums_two_without_version_check_lose_one(led, bidder, monkeypatch):
    disable_in_bids(monkeypatch, "version")
    commit = store().write_bid
    high_is_written = threading.Event()
    all_look_before_one_writes(monkeypatch, 2)

    def high_first(write):
        if write.state.leader_max == 100:
            assert high_is_written.wait(20)
        done = commit(write)
        high_is_written.set()
        return done

    monkeypatch.setattr(store(), "write_bid", high_first)
    high, low = two_maxima_of_the_leader(led, bidder)

    assert high["outcome"] == "maximum_raised"
    if connection.vendor == "postgresql":
        # Nothing public changed, so no constraint prevents it: 200 was accepted and is lost.
        assert low["outcome"] == "maximum_raised"
        assert Auction.objects.get().leader_max == 100
        assert REPLAY in findings()
    else:
        # On SQLite both write version 2, and (product, version, position) is unique.
        assert isinstance(low, IntegrityError)
        assert Auction.objects.get().leader_max == 200


def test_bids_many_at_once_all_get_an_answer(seller, monkeypatch):
    """More bids than tries without the lock: the last ones run under the lock."""
    product, count = factories.product(seller), bidding.TRIES + 3
    bidders = [factories.user(f"bidder{n}@example.com") for n in range(count)]
    all_look_before_one_writes(monkeypatch, count)
    results = at_once(*(bid(product, bidder, amount=str(10 + n)) for n, bidder in enumerate(bidders)))

    assert all(isinstance(result, dict) or result.code == "bid_too_low" for result in results), results
    assert Bid.objects.exclude(outcome="automatic").count() == sum(isinstance(result, dict) for result in results)
    assert (Auction.objects.get().leader, Auction.objects.get().price) == (bidders[-1], 9 + count)
    assert findings() == set()


@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "by the status alone"])
def test_bid_read_before_the_close_is_refused(seller, bidder, monkeypatch, guarded):
    product = factories.product(seller)
    if not guarded:
        disable_in_bids(monkeypatch, "version")
    look = store().read_snapshot

    def look_and_close(**asked):
        seen = look(**asked)
        if Auction.objects.get().status == "open":
            close_auction(product_id=product.pk, actor=seller)
        return seen

    monkeypatch.setattr(store(), "read_snapshot", look_and_close)
    with pytest.raises(DomainError) as refusal:
        bid(product, bidder, amount="10")()
    assert (refusal.value.code, Bid.objects.count(), findings()) == ("auction_not_open", 0, set())


def test_bid_read_before_the_end_and_written_after_is_refused(seller, bidder, monkeypatch):
    product = factories.product(seller)
    look = store().read_snapshot

    def look_and_dawdle(**asked):
        seen = look(**asked)
        now = clock.now()
        Auction.objects.update(starts_at=now - timedelta(hours=1), ends_at=now)
        return seen

    monkeypatch.setattr(store(), "read_snapshot", look_and_dawdle)
    with pytest.raises(DomainError) as refusal:
        bid(product, bidder, amount="10")()
    assert (refusal.value.code, Bid.objects.count()) == ("auction_not_open", 0)


def both_look_before_one_closes(monkeypatch, *, locked):
    """Make each closer wait between read and write until both have read, or for a second."""
    barrier, lock = threading.Barrier(2, timeout=1), locking.lock_auction

    def look_and_wait(product_id, *, skip_locked=False):
        if locked:
            auction = lock(product_id, skip_locked=skip_locked)
        else:
            auction = Auction.objects.select_related("product").filter(pk=product_id).first()
        with suppress(threading.BrokenBarrierError):
            barrier.wait()
        return auction

    monkeypatch.setattr(locking, "lock_auction", look_and_wait)


def two_closers(product, seller, staff):
    return at_once(*(lambda who=who: close_auction(product_id=product.pk, actor=who) for who in (seller, staff)))


def test_closers_two_at_once_close_once(led, seller, staff, monkeypatch):
    both_look_before_one_closes(monkeypatch, locked=True)
    results = two_closers(led, seller, staff)

    assert sorted(type(result).__name__ for result in results) == ["Auction", "AuctionAlreadyClosed"]
    assert (AuctionEvent.objects.filter(kind="closed").count(), Order.objects.count()) == (1, 1)
    assert findings() == set()


def test_closers_two_without_lock_break_the_log_constraint(led, seller, staff, monkeypatch):
    both_look_before_one_closes(monkeypatch, locked=False)
    if connection.vendor == "sqlite":
        # On SQLite the transaction is the lock (BEGIN IMMEDIATE); removing the row lock changes nothing.
        results = two_closers(led, seller, staff)
        assert sorted(type(result).__name__ for result in results) == ["Auction", "AuctionAlreadyClosed"]
        return
    results = two_closers(led, seller, staff)
    assert sorted(type(result).__name__ for result in results) == ["Auction", "IntegrityError"]


def test_closers_two_on_sqlite_without_transaction_break_the_constraint(led, seller, staff, monkeypatch):
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL's lock is the row's; the test above takes it out")
    both_look_before_one_closes(monkeypatch, locked=False)
    monkeypatch.setattr(closing, "transaction", SimpleNamespace(atomic=nullcontext))
    results = two_closers(led, seller, staff)
    assert sorted(type(result).__name__ for result in results) == ["Auction", "IntegrityError"]


def test_close_without_lock_loses_a_bid(led, seller, rival, monkeypatch):
    """A bid is accepted between the read and the write of the close, which overwrites its price."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer: while a close is under way no bid is written")

    def look_and_be_overtaken(product_id, *, skip_locked=False):
        auction = Auction.objects.select_related("product").filter(pk=product_id).first()
        # A raised maximum writes no event that would conflict with that of the close.
        (answer,) = at_once(bid(led, auction.leader, max_amount="50"))
        assert answer["outcome"] == "maximum_raised"
        return auction

    monkeypatch.setattr(locking, "lock_auction", look_and_be_overtaken)
    close_auction(product_id=led.pk, actor=seller)
    assert REPLAY in findings()


def test_close_due_side_by_side_closes_each_auction_once(seller, bidder):
    products = [factories.product(seller, soft_close_window=0) for _ in range(6)]
    for product in products:
        bid(product, bidder, amount="10")()
    now = clock.now()
    Auction.objects.update(ends_at=now, hard_ends_at=now + timedelta(hours=1))

    results = at_once(*(close_due for _ in range(4)))
    assert sum(results) == 6
    assert AuctionEvent.objects.filter(kind="closed").count() == Order.objects.count() == 6
    assert findings() == set()
