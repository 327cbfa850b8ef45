import logging

import pytest

from auctioncraft.core.invariants import find_violations
from auctions.models import AuctionEvent, EventOutbox
from notifications.models import EmailDelivery, Notification
from notifications.services import notification_writer, outbox
from notifications.services.outbox import write_notifications
from notifications.tests import rows
from tests import factories

pytestmark = pytest.mark.django_db


def problems():
    return find_violations("notifications")


def test_the_displaced_leader_is_told(seller, bidder, rival):
    lamp = rows.product(seller)
    rows.outbid(lamp, bidder=rival, displaced=bidder)

    assert write_notifications() == 1

    notice = Notification.objects.get()
    assert (notice.recipient, notice.kind, notice.product, notice.source, notice.title, notice.message) == (
        bidder,
        "outbid",
        lamp,
        f"product:{lamp.pk}:1",
        "You were outbid on “A lamp”",
        "Somebody bid more than your maximum for “A lamp”. It stands at 12.00 USD; the least next bid is 12.50 USD.",
    )
    assert rows.mails() == [("bidder", "outbid")]
    assert EventOutbox.objects.count() == 0
    assert problems() == {}


def test_a_bid_that_displaces_nobody_tells_nobody(seller, bidder):
    rows.outbid(rows.product(seller), bidder=bidder, displaced=None)

    assert write_notifications() == 1

    assert (rows.told(), EventOutbox.objects.count()) == ([], 0)


def test_a_sale_tells_winner_seller_and_each_loser_once(seller, bidder, rival):
    other = factories.user("other@example.com")
    lamp = rows.sale(seller, bidder, [rival, other, rival])

    write_notifications()

    source = f"product:{lamp.pk}:1"
    assert rows.told() == [
        ("bidder", "auction_won", source),
        ("seller", "auction_sold", source),
        ("rival", "auction_lost", source),
        ("other", "auction_lost", source),
    ]
    assert rows.mails() == [
        ("bidder", "auction_won"),
        ("seller", "auction_sold"),
        ("rival", "auction_lost"),
        ("other", "auction_lost"),
    ]
    assert problems() == {}


@pytest.mark.parametrize(
    ("result", "reason"), [("reserve_not_met", "the reserve was not met"), ("no_bids", "nobody bid")]
)
def test_an_auction_without_a_sale_tells_the_seller_why_and_the_bidders(seller, bidder, result, reason):
    lamp = rows.product(seller)
    if result != "no_bids":
        rows.bid(lamp, bidder)
    rows.closed(lamp, result=result)

    write_notifications()

    source = f"product:{lamp.pk}:1"
    lost = [("bidder", "auction_lost", source)] if result != "no_bids" else []
    assert rows.told() == [("seller", "auction_unsold", source), *lost]
    message = Notification.objects.get(kind="auction_unsold").message
    assert message == f"Your auction of “A lamp” has ended without a sale: {reason}."
    assert problems() == {}


def test_a_cancelled_auction_tells_seller_and_bidders(seller, bidder, rival):
    lamp = rows.product(seller)
    rows.bid(lamp, bidder)
    rows.bid(lamp, rival)
    rows.event(lamp, "cancelled", {})

    write_notifications()

    assert sorted(rows.told()) == [
        (name, "auction_cancelled", f"product:{lamp.pk}:1") for name in ("bidder", "rival", "seller")
    ]


def test_events_that_concern_nobody_leave_the_outbox_without_a_notice(seller):
    lamp = rows.product(seller)
    for kind in ("extended", "edited", "relisted", "sale_fell_through"):
        rows.event(lamp, kind, {})

    assert write_notifications() == 4

    assert (rows.told(), EventOutbox.objects.count()) == ([], 0)


def test_an_event_told_before_is_told_no_second_time(seller, bidder, rival):
    lamp = rows.sale(seller, bidder, [rival])
    write_notifications()
    EmailDelivery.objects.filter(notification__kind="auction_won").delete()
    for _ in range(2):
        EventOutbox.objects.create(product_id=lamp.pk, seq=1)

    assert write_notifications() == 2

    # Nothing twice, and what lacked a delivery has one again.
    assert (Notification.objects.count(), EmailDelivery.objects.count()) == (3, 3)
    assert problems() == {}


def test_a_bad_event_stays_and_is_logged_once_while_the_others_go_on(seller, bidder, rival, caplog):
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

    assert rows.told() == [("bidder", "outbid", f"product:{lamp.pk}:4")]
    assert set(EventOutbox.objects.values_list("pk", flat=True)) == bad
    assert sorted(caplog.messages) == sorted(
        f"event of outbox row {pk} cannot be told and stays there: {error}"
        for pk, error in zip(sorted(bad), ("ValueError", "KeyError", "TypeError", "KeyError"), strict=True)
    )
    assert [line for found in problems().values() for line in found] == [
        f"outbox row {max(bad)}: no event 99 of product {lamp.pk}"
    ]


@pytest.mark.django_db(transaction=True)
def test_an_event_that_the_database_refuses_does_not_take_its_batch_along(seller, bidder, rival, monkeypatch):
    lamp = rows.product(seller)
    for displaced in (bidder, rival, bidder):
        rows.outbid(lamp, bidder=seller, displaced=displaced)
    store = notification_writer.store_notifications

    def refuse_the_second(written):
        written = list(written)
        store(written)
        if any(notice.source.endswith(":2") for notice in written):
            raise ValueError("as the database would at COMMIT")

    monkeypatch.setattr(outbox, "store_notifications", refuse_the_second)

    assert write_notifications() == 2

    assert rows.told() == [("bidder", "outbid", f"product:{lamp.pk}:{seq}") for seq in (1, 3)]
    assert list(EventOutbox.objects.values_list("seq", flat=True)) == [2]


def test_an_account_that_is_gone_gets_nothing_and_keeps_nobody_waiting(seller, bidder):
    lamp = rows.product(seller)
    row = rows.outbid(lamp, bidder=bidder, displaced=None)
    AuctionEvent.objects.filter(pk=row.pk).update(private={"bidder": bidder.pk, "leader": bidder.pk, "outbid": 10**9})

    assert write_notifications() == 1

    assert rows.told() == []


def test_a_name_as_long_as_it_may_be_fits_and_a_name_of_braces_and_lines_is_harmless(seller, bidder, rival):
    rows.outbid(rows.product(seller, name="x" * 200), bidder=rival, displaced=bidder)
    rows.outbid(rows.product(seller, name="{kind}\r\nBcc: all@example.com"), bidder=rival, displaced=bidder)

    write_notifications()

    assert list(Notification.objects.order_by("pk").values_list("title", flat=True)) == [
        f"You were outbid on “{'x' * 119}…”",
        "You were outbid on “{kind} Bcc: all@example.com”",
    ]


def test_many_losers_are_written_in_chunks_and_a_full_transaction_leaves_the_rest_for_the_next(
    seller, bidder, monkeypatch
):
    losers = [factories.user(f"loser{number}@example.com") for number in range(25)]
    for _ in range(3):
        rows.sale(seller, bidder, losers)
    monkeypatch.setattr(notification_writer, "CHUNK", 10)
    monkeypatch.setattr(outbox, "FULL", 30)

    assert write_notifications() == 3

    assert Notification.objects.count() == EmailDelivery.objects.count() == 3 * 27
    assert problems() == {}


def test_a_batch_costs_the_same_queries_however_many_events(seller, bidder, rival, django_assert_num_queries):
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
