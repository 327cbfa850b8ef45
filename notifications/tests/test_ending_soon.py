"""Notifications that an auction ends within the hour."""

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
    """Return a running auction of length `listed` that ends in `left`."""
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
    return sorted(name for name, _, _ in rows.notified())


def test_watchers_and_bidders_who_are_not_leading_are_notified_once(seller, bidder, rival, watcher):
    lamp = ending(seller)
    rows.bid(lamp, rival)
    rows.bid(lamp, bidder)
    lead(lamp, bidder)
    watch(lamp, watcher)
    watch(lamp, rival)

    assert [notify_ending_soon(), notify_ending_soon()] == [1, 0]

    source = f"product:{lamp.pk}:ending"
    assert sorted(rows.notified()) == [(name, "auction_ending_soon", source) for name in ("rival", "watcher")]
    assert sorted(rows.emails()) == [(name, "auction_ending_soon") for name in ("rival", "watcher")]
    ends_at = Auction.objects.get(product=lamp).ends_at
    texts = (
        "auction_ending_soon",
        "“A lamp” ends soon",
        (
            f"The auction for “A lamp” ends at {ends_at:%Y-%m-%d %H:%M} UTC. The current price is 12.00 USD. Bid at "
            "least 12.50 USD."
        ),
    )
    assert rows.texts() == {"rival": texts, "watcher": texts}
    assert set(Notification.objects.values_list("product", flat=True)) == {lamp.pk}


def test_text_without_bids_names_the_minimum_bid(seller, watcher):
    lamp = ending(seller)
    watch(lamp, watcher)

    notify_ending_soon()

    assert rows.texts()["watcher"][2].endswith(" UTC. There are no bids yet. Bid at least 1.00 USD.")


def test_leader_who_watches_is_notified(seller, bidder):
    lamp = ending(seller)
    rows.bid(lamp, bidder)
    lead(lamp, bidder)
    watch(lamp, bidder)

    notify_ending_soon()

    assert names() == ["bidder"]


def test_bidder_whose_bids_were_voided_is_not_notified(seller, bidder, rival, staff):
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
        # Scheduled for half an hour.
        {"left": timedelta(minutes=50), "listed": timedelta(minutes=30)},
    ],
)
def test_auction_that_ends_later_or_is_over_or_short_notifies_nobody(seller, watcher, times):
    watch(ending(seller, **times), watcher)

    assert (notify_ending_soon(), rows.notified()) == (0, [])


@pytest.mark.parametrize("status", ["unsold", "cancelled"])
def test_closed_auction_notifies_nobody(seller, watcher, status):
    lamp = ending(seller)
    watch(lamp, watcher)
    result = {"unsold": "no_bids"}.get(status, status)
    Auction.objects.filter(product=lamp).update(status=status, result=result, closed_at=clock.now())

    assert (notify_ending_soon(), rows.notified()) == (0, [])


def test_soft_close_notifies_nobody_again(seller, bidder, watcher):
    lamp = ending(seller)
    watch(lamp, watcher)
    notify_ending_soon()
    watch(lamp, bidder)
    Auction.objects.filter(product=lamp).update(ends_at=clock.now() + 2 * HOUR)
    rows.event(lamp, "extended", {"from": "-", "ends_at": "-"})
    write_notifications()
    Auction.objects.filter(product=lamp).update(ends_at=clock.now() + HOUR / 2)

    assert (notify_ending_soon(), names()) == (0, ["watcher"])


def test_short_auction_extended_by_soft_close_notifies_nobody(seller, watcher):
    lamp = ending(seller, listed=2 * HOUR - timedelta(seconds=1))
    watch(lamp, watcher)
    notify_ending_soon()
    Auction.objects.filter(product=lamp).update(ends_at=clock.now() + timedelta(minutes=59, seconds=59))
    auction = Auction.objects.get(product=lamp)
    assert auction.ends_at - auction.starts_at >= 2 * HOUR

    assert (notify_ending_soon(), rows.notified()) == (0, [])


@pytest.mark.parametrize(
    ("kind", "data"),
    [("extended", {"by": "staff", "ends_at": "-"}), ("edited", {"fields": ["ends_at"], "from": "-", "ends_at": "-"})],
)
def test_end_moved_by_seller_or_staff_notifies_those_not_notified_before(seller, bidder, watcher, kind, data):
    lamp = ending(seller)
    watch(lamp, watcher)
    notify_ending_soon()
    watch(lamp, bidder)
    rows.event(lamp, kind, data)
    write_notifications()

    assert (notify_ending_soon(), names()) == (1, ["bidder", "watcher"])
    assert EmailDelivery.objects.count() == 2


def test_edit_of_other_fields_notifies_nobody_again(seller, watcher):
    lamp = ending(seller)
    notify_ending_soon()
    watch(lamp, watcher)
    rows.event(lamp, "edited", {"fields": ["description"]})
    write_notifications()

    assert (notify_ending_soon(), rows.notified()) == (0, [])


def test_full_transaction_leaves_the_rest_for_the_next(seller, bidder, watcher, monkeypatch):
    for _ in range(5):
        lamp = ending(seller)
        watch(lamp, watcher)
        watch(lamp, bidder)
    monkeypatch.setattr(ending_soon, "FULL", 3)

    assert notify_ending_soon(limit=4) == 5

    assert Notification.objects.count() == EmailDelivery.objects.count() == 10
    assert EndingSoonSent.objects.count() == 5


def test_query_count_is_one_when_idle_and_the_same_for_one_and_many(seller, bidder, watcher, django_assert_num_queries):
    def due(count):
        for _ in range(count):
            lamp = ending(seller)
            rows.bid(lamp, bidder)
            watch(lamp, watcher)

    reads = 2 if connection.vendor == "postgresql" else 1
    with django_assert_num_queries(reads):  # with the clock
        notify_ending_soon()
    due(1)
    with django_assert_num_queries(_query_count()):
        notify_ending_soon()
    due(10)
    with django_assert_num_queries(_query_count()):
        notify_ending_soon()


def _query_count():
    """Count the reads before and after, with the clock on PostgreSQL, the claim, the recipients and the writes."""
    return 15 if connection.vendor == "postgresql" else 12


def test_failure_before_commit_writes_nothing_and_the_next_run_notifies(seller, watcher, monkeypatch):
    watch(ending(seller), watcher)
    with monkeypatch.context() as patch:
        patch.setattr(ending_soon, "store_notifications", lambda drafts: _break())
        with pytest.raises(KeyboardInterrupt):
            notify_ending_soon()
    assert (EndingSoonSent.objects.count(), Notification.objects.count()) == (0, 0)

    assert (notify_ending_soon(), names()) == (1, ["watcher"])


def _break():
    raise KeyboardInterrupt


def run_two_jobs(monkeypatch):
    """Run two jobs that both read before either claims; return how many auctions each notified of."""
    both_have_read = threading.Barrier(2, timeout=5)
    notify = ending_soon._notify

    def wait_and_notify(ids):
        with suppress(threading.BrokenBarrierError):
            both_have_read.wait()
        return notify(ids)

    monkeypatch.setattr(ending_soon, "_notify", wait_and_notify)
    counts, failures = [], []

    def work():
        try:
            # One read only: a second one would wait alone.
            counts.append(ending_soon._notify(list(ending_soon._unsent(clock.now()).values_list("pk", flat=True))))
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
def test_two_parallel_jobs_notify_once(seller, bidder, rival, watcher, monkeypatch):
    for _ in range(3):
        lamp = ending(seller)
        watch(lamp, watcher)
        rows.bid(lamp, rival)

    assert run_two_jobs(monkeypatch) == [0, 3]

    assert (Notification.objects.count(), EmailDelivery.objects.count(), EndingSoonSent.objects.count()) == (6, 6, 3)


@pytest.mark.django_db(transaction=True)
def test_two_parallel_jobs_without_claim_both_notify(seller, watcher, monkeypatch):
    for _ in range(3):
        watch(ending(seller), watcher)
    ends_soon = ending_soon._ending_soon
    monkeypatch.setattr(
        ending_soon, "_claim", lambda ids: list(ends_soon(clock.now()).filter(pk__in=ids).select_related("product"))
    )

    assert run_two_jobs(monkeypatch) == [3, 3]
    # The unique constraint still prevents duplicates.
    assert Notification.objects.count() == 3
