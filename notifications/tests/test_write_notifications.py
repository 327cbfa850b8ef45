import logging

import pytest

from auctions.models import AuctionEvent, EventOutbox
from notifications.models import EmailDelivery, Notification
from notifications.services import notification_writer, outbox
from notifications.services.outbox import write_notifications
from notifications.tests import rows
from tests import factories
from tests.violations import find_violations

pytestmark = pytest.mark.django_db


def violations():
    return find_violations("notifications")


def test_bid_placed_notifies_the_displaced_leader(seller, bidder, rival):
    lamp = rows.product(seller)
    rows.outbid(lamp, bidder=rival, displaced=bidder)

    assert write_notifications() == 1

    sent = Notification.objects.get()
    assert (sent.recipient, sent.kind, sent.product, sent.source, sent.title, sent.message) == (
        bidder,
        "outbid",
        lamp,
        f"product:{lamp.pk}:1",
        "You were outbid on “A lamp”",
        (
            "Another bidder outbid you on “A lamp”. The current price is 12.00 USD. To take the lead, bid at least "
            "12.50 USD."
        ),
    )
    assert rows.emails() == [("bidder", "outbid")]
    assert EventOutbox.objects.count() == 0
    assert violations() == {}


def test_bid_placed_without_displaced_leader_notifies_nobody(seller, bidder):
    rows.outbid(rows.product(seller), bidder=bidder, displaced=None)

    assert write_notifications() == 1

    assert (rows.notified(), EventOutbox.objects.count()) == ([], 0)


def test_sale_notifies_winner_seller_and_each_loser_once(seller, bidder, rival):
    other = factories.user("other@example.com")
    lamp = rows.sale(seller, bidder, [rival, other, rival])

    write_notifications()

    source = f"product:{lamp.pk}:1"
    assert rows.notified() == [
        ("bidder", "auction_won", source),
        ("seller", "auction_sold", source),
        ("rival", "auction_lost", source),
        ("other", "auction_lost", source),
    ]
    assert rows.emails() == [
        ("bidder", "auction_won"),
        ("seller", "auction_sold"),
        ("rival", "auction_lost"),
        ("other", "auction_lost"),
    ]
    assert violations() == {}


@pytest.mark.parametrize(
    ("result", "reason"), [("reserve_not_met", "the reserve price was not met"), ("no_bids", "there were no bids")]
)
def test_close_without_sale_notifies_seller_with_reason_and_bidders(seller, bidder, result, reason):
    lamp = rows.product(seller)
    if result != "no_bids":
        rows.bid(lamp, bidder)
    rows.closed(lamp, result=result)

    write_notifications()

    source = f"product:{lamp.pk}:1"
    lost = [("bidder", "auction_lost", source)] if result != "no_bids" else []
    assert rows.notified() == [("seller", "auction_unsold", source), *lost]
    message = Notification.objects.get(kind="auction_unsold").message
    assert message == f"Your auction for “A lamp” has ended without a sale: {reason}. You can list it again."
    assert violations() == {}


def test_cancellation_notifies_seller_and_bidders(seller, bidder, rival):
    lamp = rows.product(seller)
    rows.bid(lamp, bidder)
    rows.bid(lamp, rival)
    rows.event(lamp, "cancelled", {})

    write_notifications()

    assert sorted(rows.notified()) == [
        (name, "auction_cancelled", f"product:{lamp.pk}:1") for name in ("bidder", "rival", "seller")
    ]


def test_events_without_recipients_leave_the_outbox(seller):
    lamp = rows.product(seller)
    for kind in ("extended", "edited", "relisted", "sale_fell_through"):
        rows.event(lamp, kind, {})

    assert write_notifications() == 4

    assert (rows.notified(), EventOutbox.objects.count()) == ([], 0)


def test_event_processed_again_writes_nothing_twice(seller, bidder, rival):
    lamp = rows.sale(seller, bidder, [rival])
    write_notifications()
    EmailDelivery.objects.filter(notification__kind="auction_won").delete()
    for _ in range(2):
        EventOutbox.objects.create(product_id=lamp.pk, seq=1)

    assert write_notifications() == 2

    # Only the missing delivery is written.
    assert (Notification.objects.count(), EmailDelivery.objects.count()) == (3, 3)
    assert violations() == {}


def test_malformed_event_stays_and_is_logged_once_while_the_others_go_on(seller, bidder, rival, caplog):
    lamp = rows.product(seller)
    rows.event(lamp, "closed", {"result": "stolen"}, {"winner": None, "seller": seller.pk})
    rows.event(lamp, "bid_placed", {}, {})
    rows.event(lamp, "bid_placed", {}, {"outbid": "7 OR 1=1"})
    EventOutbox.objects.create(product_id=lamp.pk, seq=99)
    bad = set(EventOutbox.objects.values_list("pk", flat=True))
    rows.outbid(lamp, bidder=rival, displaced=bidder)

    with caplog.at_level(logging.ERROR):
        assert write_notifications(limit=2) == 1
        assert write_notifications() == 0

    assert rows.notified() == [("bidder", "outbid", f"product:{lamp.pk}:4")]
    assert set(EventOutbox.objects.values_list("pk", flat=True)) == bad
    assert sorted(caplog.messages) == sorted(
        f"outbox row {pk} cannot be processed and stays: {error}"
        for pk, error in zip(sorted(bad), ("ValueError", "KeyError", "TypeError", "KeyError"), strict=True)
    )
    assert [line for found in violations().values() for line in found] == [
        f"outbox row {max(bad)}: no event 99 of product {lamp.pk}"
    ]


@pytest.mark.django_db(transaction=True)
def test_event_that_the_database_rejects_does_not_fail_its_batch(seller, bidder, rival, monkeypatch):
    lamp = rows.product(seller)
    for displaced in (bidder, rival, bidder):
        rows.outbid(lamp, bidder=seller, displaced=displaced)
    store = notification_writer.store_notifications

    def refuse_the_second(written):
        written = list(written)
        store(written)
        if any(draft.source.endswith(":2") for draft in written):
            raise ValueError("as the database would at COMMIT")

    monkeypatch.setattr(outbox, "store_notifications", refuse_the_second)

    assert write_notifications() == 2

    assert rows.notified() == [("bidder", "outbid", f"product:{lamp.pk}:{seq}") for seq in (1, 3)]
    assert list(EventOutbox.objects.values_list("seq", flat=True)) == [2]


def test_missing_account_gets_nothing_and_delays_nobody(seller, bidder):
    lamp = rows.product(seller)
    row = rows.outbid(lamp, bidder=bidder, displaced=None)
    AuctionEvent.objects.filter(pk=row.pk).update(private={"bidder": bidder.pk, "leader": bidder.pk, "outbid": 10**9})

    assert write_notifications() == 1

    assert rows.notified() == []


def test_title_shortens_long_product_names_and_removes_line_breaks(seller, bidder, rival):
    rows.outbid(rows.product(seller, name="x" * 200), bidder=rival, displaced=bidder)
    rows.outbid(rows.product(seller, name="{kind}\r\nBcc: all@example.com"), bidder=rival, displaced=bidder)

    write_notifications()

    assert list(Notification.objects.order_by("pk").values_list("title", flat=True)) == [
        f"You were outbid on “{'x' * 59}…”",
        "You were outbid on “{kind} Bcc: all@example. com”",
    ]


def test_many_losers_are_written_in_chunks_and_several_transactions(seller, bidder, monkeypatch):
    losers = [factories.user(f"loser{number}@example.com") for number in range(25)]
    for _ in range(3):
        rows.sale(seller, bidder, losers)
    monkeypatch.setattr(notification_writer, "CHUNK", 10)
    monkeypatch.setattr(outbox, "FULL", 30)

    assert write_notifications() == 3

    assert Notification.objects.count() == EmailDelivery.objects.count() == 3 * 27
    assert violations() == {}


def test_batch_query_count_is_the_same_for_many_events(seller, bidder, rival, django_assert_num_queries):
    for _ in range(2):
        lamp = rows.sale(seller, bidder, [rival])
        rows.outbid(lamp, bidder=rival, displaced=bidder)
    with django_assert_num_queries(12):
        write_notifications()
    for _ in range(10):
        lamp = rows.sale(seller, bidder, [rival])
        rows.outbid(lamp, bidder=rival, displaced=bidder)
    with django_assert_num_queries(12):
        write_notifications()
