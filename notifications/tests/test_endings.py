"""People are told that an auction is about to end: once, an hour before."""

import threading
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection

from auctioncraft.core import clock
from auctions.models import Auction, Watch
from notifications.models import EmailDelivery, EndingSoonSent, Notification
from notifications.services import ending_soon
from notifications.services.ending_soon import notify_ending_soon
from notifications.services.outbox import write_notifications
from notifications.tests import rows
from tests import factories

pytestmark = [pytest.mark.sqlite, pytest.mark.django_db]
HOUR = timedelta(hours=1)


@pytest.fixture
def watcher(db):
    return factories.user("watcher@example.com")


def ending(seller, left=timedelta(minutes=59), listed=timedelta(days=7), **fields):
    """A running auction that ends in `left`, of `listed` in all."""
    product = rows.product(seller, **fields)
    ends_at = clock.now() + left
    times = {"starts_at": ends_at - listed, "ends_at": ends_at, "hard_ends_at": ends_at + 24 * HOUR}
    Auction.objects.filter(product=product).update(**times)
    return product


def lead(product, leader, price=12):
    Auction.objects.filter(product=product).update(leader=leader, price=Decimal(price), leader_max=Decimal(price + 5))


def watch(product, user):
    Watch.objects.create(product=product, user=user)


def names():
    return sorted(name for name, _, _ in rows.told())


def test_watchers_and_bidders_who_do_not_lead_are_told_once(seller, bidder, rival, watcher):
    lamp = ending(seller)
    rows.bid(lamp, rival)
    rows.bid(lamp, bidder)
    lead(lamp, bidder)
    watch(lamp, watcher)
    watch(lamp, rival)

    assert [notify_ending_soon(), notify_ending_soon()] == [1, 0]

    source = f"product:{lamp.pk}:ending"
    assert sorted(rows.told()) == [(name, "auction_ending_soon", source) for name in ("rival", "watcher")]
    assert sorted(rows.mails()) == [(name, "auction_ending_soon") for name in ("rival", "watcher")]
    ends_at = Auction.objects.get(product=lamp).ends_at
    words = (
        "auction_ending_soon",
        "“A lamp” is ending soon",
        (
            f"The auction of “A lamp” ends at {ends_at:%Y-%m-%d %H:%M} UTC. The price is 12.00 USD; the least next bid "
            "is 12.50 USD."
        ),
    )
    assert rows.words() == {"rival": words, "watcher": words}
    assert set(Notification.objects.values_list("product", flat=True)) == {lamp.pk}


def test_without_a_bid_the_words_say_what_it_starts_at(seller, watcher):
    lamp = ending(seller)
    watch(lamp, watcher)

    notify_ending_soon()

    assert rows.words()["watcher"][2].endswith(" UTC. Nobody has bid yet; the least bid is 1.00 USD.")


def test_a_leader_who_watches_asked_to_be_told(seller, bidder):
    lamp = ending(seller)
    rows.bid(lamp, bidder)
    lead(lamp, bidder)
    watch(lamp, bidder)

    notify_ending_soon()

    assert names() == ["bidder"]


def test_whose_bids_were_voided_is_not_told(seller, bidder, rival, staff):
    lamp = ending(seller)
    rows.void(rows.bid(lamp, bidder), staff)
    rows.bid(lamp, bidder, outcome="automatic")
    rows.bid(lamp, rival)

    notify_ending_soon()

    assert names() == ["rival"]


@pytest.mark.parametrize(
    "times",
    [
        {"left": timedelta(minutes=61)},
        {"left": timedelta(seconds=-1)},
        {"listed": 2 * HOUR - timedelta(seconds=1)},
        # Scheduled, for half an hour.
        {"left": timedelta(minutes=50), "listed": timedelta(minutes=30)},
    ],
)
def test_nobody_is_told_of_what_is_far_over_or_short(seller, watcher, times):
    watch(ending(seller, **times), watcher)

    assert (notify_ending_soon(), rows.told()) == (0, [])


@pytest.mark.parametrize("status", ["unsold", "cancelled"])
def test_nobody_is_told_of_what_is_closed(seller, watcher, status):
    lamp = ending(seller)
    watch(lamp, watcher)
    result = {"unsold": "no_bids"}.get(status, status)
    Auction.objects.filter(product=lamp).update(status=status, result=result, closed_at=clock.now())

    assert (notify_ending_soon(), rows.told()) == (0, [])


def test_a_soft_close_tells_nobody_again_nor_who_came_later(seller, bidder, watcher):
    lamp = ending(seller)
    watch(lamp, watcher)
    notify_ending_soon()
    watch(lamp, bidder)
    Auction.objects.filter(product=lamp).update(ends_at=clock.now() + 2 * HOUR)
    rows.event(lamp, "extended", {"from": "-", "ends_at": "-"})
    write_notifications()
    Auction.objects.filter(product=lamp).update(ends_at=clock.now() + HOUR / 2)

    assert (notify_ending_soon(), names()) == (0, ["watcher"])


def test_a_short_auction_that_a_soft_close_makes_longer_is_not_told(seller, watcher):
    lamp = ending(seller, listed=2 * HOUR - timedelta(seconds=1))
    watch(lamp, watcher)
    notify_ending_soon()
    Auction.objects.filter(product=lamp).update(ends_at=clock.now() + timedelta(minutes=59, seconds=59))
    auction = Auction.objects.get(product=lamp)
    assert auction.ends_at - auction.starts_at >= 2 * HOUR

    assert (notify_ending_soon(), rows.told()) == (0, [])


@pytest.mark.parametrize(
    ("kind", "data"),
    [("extended", {"by": "staff", "ends_at": "-"}), ("edited", {"fields": ["ends_at"], "from": "-", "ends_at": "-"})],
)
def test_an_end_that_somebody_moved_is_told_when_it_comes_to_those_who_were_not_told(
    seller, bidder, watcher, kind, data
):
    lamp = ending(seller)
    watch(lamp, watcher)
    notify_ending_soon()
    watch(lamp, bidder)
    rows.event(lamp, kind, data)
    write_notifications()

    assert (notify_ending_soon(), names()) == (1, ["bidder", "watcher"])
    assert EmailDelivery.objects.count() == 2


def test_an_edit_of_words_leaves_it_told(seller, watcher):
    lamp = ending(seller)
    notify_ending_soon()
    watch(lamp, watcher)
    rows.event(lamp, "edited", {"fields": ["description"]})
    write_notifications()

    assert (notify_ending_soon(), rows.told()) == (0, [])


def test_a_full_transaction_leaves_the_rest_for_the_next(seller, bidder, watcher, monkeypatch):
    for _ in range(5):
        lamp = ending(seller)
        watch(lamp, watcher)
        watch(lamp, bidder)
    monkeypatch.setattr(ending_soon, "FULL", 3)

    assert notify_ending_soon(limit=4) == 5

    assert Notification.objects.count() == EmailDelivery.objects.count() == 10
    assert EndingSoonSent.objects.count() == 5


def test_it_costs_one_query_when_nothing_is_due_and_the_same_for_one_and_many(
    seller, bidder, watcher, django_assert_num_queries
):
    def due(count):
        for _ in range(count):
            lamp = ending(seller)
            rows.bid(lamp, bidder)
            watch(lamp, watcher)

    reads = 2 if connection.vendor == "postgresql" else 1
    with django_assert_num_queries(reads):  # the clock's own included
        notify_ending_soon()
    due(1)
    with django_assert_num_queries(_cost()):
        notify_ending_soon()
    due(10)
    with django_assert_num_queries(_cost()):
        notify_ending_soon()


def _cost():
    """One look before and one after, each with the clock on PostgreSQL; the claim; the audience; the notices."""
    return 15 if connection.vendor == "postgresql" else 12


def test_a_failure_before_the_commit_leaves_nothing_and_the_next_sweep_tells(seller, watcher, monkeypatch):
    watch(ending(seller), watcher)
    with monkeypatch.context() as patch:
        patch.setattr(ending_soon, "store_notifications", lambda notices: _break())
        with pytest.raises(KeyboardInterrupt):
            notify_ending_soon()
    assert (EndingSoonSent.objects.count(), Notification.objects.count()) == (0, 0)

    assert (notify_ending_soon(), names()) == (1, ["watcher"])


def _break():
    raise KeyboardInterrupt


def sweep_twice_at_once(monkeypatch):
    """Run two sweeps, each between its look and its claim until the other has looked; return what each told."""
    both_have_looked = threading.Barrier(2, timeout=5)
    tell = ending_soon._tell

    def wait_and_tell(ids):
        with suppress(threading.BrokenBarrierError):
            both_have_looked.wait()
        return tell(ids)

    monkeypatch.setattr(ending_soon, "_tell", wait_and_tell)
    counts, failures = [], []

    def work():
        try:
            # As in life, where a sweep ends when nothing is left: but no second look, which would wait alone.
            counts.append(ending_soon._tell(list(ending_soon._ending(clock.now()).values_list("pk", flat=True))))
        except Exception as error:  # noqa: BLE001
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    return sorted(counts)


@pytest.mark.django_db(transaction=True)
def test_of_two_sweeps_that_looked_at_once_only_one_tells(seller, bidder, rival, watcher, monkeypatch):
    for _ in range(3):
        lamp = ending(seller)
        watch(lamp, watcher)
        rows.bid(lamp, rival)

    assert sweep_twice_at_once(monkeypatch) == [0, 3]

    assert (Notification.objects.count(), EmailDelivery.objects.count(), EndingSoonSent.objects.count()) == (6, 6, 3)


@pytest.mark.django_db(transaction=True)
def test_without_the_claim_both_would_tell(seller, watcher, monkeypatch):
    for _ in range(3):
        watch(ending(seller), watcher)
    near = ending_soon._near
    monkeypatch.setattr(
        ending_soon, "_claim", lambda ids: list(near(clock.now()).filter(pk__in=ids).select_related("product"))
    )

    assert sweep_twice_at_once(monkeypatch) == [3, 3]
    # The constraint of notices stands below it.
    assert Notification.objects.count() == 3
