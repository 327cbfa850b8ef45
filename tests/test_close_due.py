import threading
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from auctioncraft.core import jobs
from auctions import tasks
from auctions.models import Auction, AuctionEvent, EventOutbox, Product
from auctions.services import closing
from auctions.services.watching import watch
from auctions.signals import auction_sold
from auctions.tests import auction_helpers
from payments.models import Order
from tests import factories

pytestmark = [pytest.mark.sqlite, pytest.mark.django_db]


def test_close_due_closes_due_auctions_only(seller, bidder):
    due, below, unsold, running = (
        factories.product(seller, reserve_price=reserve) for reserve in (None, Decimal(50), None, None)
    )
    for product in (due, below, running):
        auction_helpers.bid(product, bidder, "9")
    for product in (due, below, unsold):
        auction_helpers.move_end_to_past(product)
    assert closing.close_due() == 3
    results = dict(Auction.objects.values_list("product_id", "result"))
    assert results == {due.pk: "sold", below.pk: "reserve_not_met", unsold.pk: "no_bids", running.pk: ""}
    assert Order.objects.get().product == due
    assert closing.close_due() == 0
    events = AuctionEvent.objects.filter(kind="closed")
    assert [event.data["by"] for event in events] == ["time"] * 3


def test_close_due_late_closes_with_the_state_at_the_end(seller, bidder):
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, "9")
    auction_helpers.move_end_to_past(product, timedelta(hours=5))
    tasks.close_due()
    auction = Auction.objects.get()
    assert (auction.status, auction.hammer_price) == ("sold", Decimal(9))
    assert timezone.now() - auction.closed_at < timedelta(minutes=1)


def test_close_due_before_the_start_leaves_the_auction(seller):
    auction_helpers.move_start_to_tomorrow(factories.product(seller))
    assert closing.close_due() == 0


def test_close_due_with_one_failure_closes_the_others(seller, bidder, caplog):
    products = [factories.product(seller) for _ in range(3)]
    for product in products:
        auction_helpers.bid(product, bidder, "9")
        auction_helpers.move_end_to_past(product)

    def receiver(*, auction, **_):
        if auction.pk == products[1].pk:
            raise RuntimeError("no")

    auction_sold.connect(receiver, weak=False, dispatch_uid="test")
    try:
        assert closing.close_due() == 2
    finally:
        auction_sold.disconnect(dispatch_uid="test")
    assert Auction.objects.get(pk=products[1].pk).status == "open"
    assert f"_close_if_due failed for ({products[1].pk},)" in caplog.text
    assert closing.close_due() == 1


@pytest.mark.parametrize("same_end", [True, False])
def test_close_due_with_failing_pages_in_front_closes_the_others(seller, monkeypatch, caplog, same_end):
    monkeypatch.setattr(jobs, "PAGE_SIZE", 2)
    products = [factories.product(seller) for _ in range(8)]
    end = timezone.now() - timedelta(hours=1)
    for number, product in enumerate(products):
        auction_helpers.move_end_to_past(product)
        Auction.objects.filter(pk=product.pk).update(ends_at=end + timedelta(minutes=0 if same_end else number))
    failing = {product.pk for product in products[:5]}
    set_result = closing._set_result

    def fail(auction, *args, **kwargs):
        if auction.pk in failing:
            raise RuntimeError("no")
        set_result(auction, *args, **kwargs)

    monkeypatch.setattr(closing, "_set_result", fail)
    assert closing.close_due() == 3
    assert set(Auction.objects.filter(status="open").values_list("pk", flat=True)) == failing
    assert [bool(record.exc_info) for record in caplog.records] == [True] + [False] * 4
    assert closing.close_due() == 0
    failing.clear()
    assert closing.close_due() == 5


def test_close_due_closes_those_with_bids_first_and_again_after_each_batch(seller, bidder, monkeypatch):
    monkeypatch.setattr(closing, "BATCH", 2)
    with_bid, later, *without = (factories.product(seller) for _ in range(6))
    for product in (with_bid, later):
        auction_helpers.bid(product, bidder, "9")
    for hours, product in enumerate((*without, with_bid), start=1):
        auction_helpers.move_end_to_past(product, timedelta(days=2) - timedelta(hours=hours))
    close = closing._close_without_bids

    def close_while_another_ends(product_ids):
        done = close(product_ids)
        if product_ids[0] == without[0].pk:
            auction_helpers.move_end_to_past(later)
        return done

    monkeypatch.setattr(closing, "_close_without_bids", close_while_another_ends)
    assert closing.close_due() == 6
    order = list(AuctionEvent.objects.filter(kind="closed").order_by("pk").values_list("product_id", flat=True))
    assert order == [product.pk for product in (with_bid, *without[:2], later, *without[2:])]


def test_close_due_without_bids_costs_the_same_queries_for_one_and_for_many(seller):
    def queries(count):
        for _ in range(count):
            auction_helpers.move_end_to_past(factories.product(seller))
        with CaptureQueriesContext(connection) as captured:
            assert closing.close_due() == count
        return len(captured)

    assert queries(1) == queries(30)
    assert set(Auction.objects.values_list("status", "result", "seq", "version")) == {("unsold", "no_bids", 1, 1)}
    assert AuctionEvent.objects.count() == EventOutbox.objects.count() == 31
    event = AuctionEvent.objects.last()
    assert event.data == {"result": "no_bids", "final_price": None, "currency": "USD", "winner": None, "by": "time"}
    assert event.private == {"winner": None, "seller": seller.pk}


def test_close_due_overtaken_by_a_first_bid_sells(seller, bidder, monkeypatch):
    product = factories.product(seller)
    auction_helpers.move_end_to_past(product)
    lock = closing.lock_auctions

    def bid_first(product_ids):
        Auction.objects.update(ends_at=timezone.now() + timedelta(seconds=90))
        auction_helpers.bid(product, bidder, "9")
        Auction.objects.update(ends_at=timezone.now() - timedelta(seconds=1))
        return lock(product_ids)

    monkeypatch.setattr(closing, "lock_auctions", bid_first)
    assert closing.close_due() == 1
    assert Auction.objects.get().result == "sold"


@pytest.mark.django_db(transaction=True)
def test_close_due_of_a_watched_product_does_not_wait_for_the_watcher(seller, bidder, rival):
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has one writer")
    product, other = factories.product(seller), factories.product(seller)
    auction_helpers.bid(product, bidder, "9")
    for due in (product, other):
        auction_helpers.move_end_to_past(due)
    watching, closed = threading.Event(), threading.Event()

    def watch_slowly():
        try:
            with transaction.atomic():
                for watched in (product, other):
                    watch(product_id=watched.pk, user=rival)
                watching.set()
                assert closed.wait(30)
        finally:
            connection.close()

    watcher = threading.Thread(target=watch_slowly)
    watcher.start()
    assert watching.wait(30)
    try:
        assert closing.close_due() == 2
    finally:
        closed.set()
        watcher.join(60)
    assert list(Product.objects.values_list("watch_count", flat=True)) == [1, 1]


def test_close_due_overtaken_by_an_extension_leaves_the_auction(seller, monkeypatch):
    product = factories.product(seller)
    auction_helpers.move_end_to_past(product)
    lock = closing.lock_auctions

    def extended_first(product_ids):
        Auction.objects.update(ends_at=timezone.now() + timedelta(seconds=90))
        return lock(product_ids)

    monkeypatch.setattr(closing, "lock_auctions", extended_first)
    assert closing.close_due() == 0
    assert Auction.objects.get().status == "open"


def test_close_due_overtaken_by_a_close_leaves_the_auction(seller, monkeypatch):
    product = factories.product(seller)
    auction_helpers.move_end_to_past(product)
    lock = closing.lock_auctions

    def closed_first(product_ids):
        closing.close_auction(product_id=product.pk, actor=seller)
        return lock(product_ids)

    monkeypatch.setattr(closing, "lock_auctions", closed_first)
    assert closing.close_due() == 0
    assert AuctionEvent.objects.count() == 1


def together(*jobs):
    """Run each job in a thread, all starting together; return what they raised."""
    start, raised = threading.Barrier(len(jobs)), []

    def run(job):
        try:
            start.wait(10)
            job()
        except Exception as error:  # noqa: BLE001 (returned)
            raised.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return raised


@pytest.mark.django_db(transaction=True)
def test_close_due_from_many_workers_gives_one_result(seller, bidder):
    products = [factories.product(seller) for _ in range(5)]
    for product in products:
        auction_helpers.bid(product, bidder, "9")
        auction_helpers.move_end_to_past(product)
    closed = []
    workers = [lambda: closed.append(closing.close_due())] * 3
    people = [lambda pk=product.pk: closing.close_auction(product_id=pk, actor=seller) for product in products]
    raised = together(*workers, *people)
    assert {type(error).__name__ for error in raised} <= {"AuctionAlreadyClosed"}
    closing.close_due()  # those that a worker skipped because they were locked
    assert sum(closed) + len(products) - len(raised) <= 5
    assert set(Auction.objects.values_list("status", "seq", "version")) == {("sold", 2, 2)}
    assert AuctionEvent.objects.filter(kind="closed").count() == 5
    assert Order.objects.count() == 5


@pytest.mark.django_db(transaction=True)
def test_close_due_during_bids_comes_before_or_after_each(seller, bidder, rival):
    for number in range(8):
        product = factories.product(seller)
        auction_helpers.bid(product, bidder, "5")
        raised = together(
            lambda product=product: closing.close_auction(product_id=product.pk, actor=seller),
            lambda product=product: auction_helpers.bid(product, rival, "50"),
        )
        auction = Auction.objects.get(pk=product.pk)
        refused = [type(error).__name__ for error in raised]
        assert refused in ([], ["AuctionNotOpen"]), number
        assert (auction.winner, auction.hammer_price) == ((bidder, 5) if refused else (rival, 50))
        kinds = list(AuctionEvent.objects.filter(product=product).order_by("seq").values_list("seq", "kind"))
        placed = 1 if refused else 2
        assert kinds == [*((seq, "bid_placed") for seq in range(1, placed + 1)), (placed + 1, "closed")]
