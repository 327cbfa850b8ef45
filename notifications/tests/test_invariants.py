import pytest

from auctions.models import EventOutbox
from notifications.invariants import CHECKS
from notifications.models import Delivery, Notification
from notifications.services.events import write_notices
from notifications.tests import rows

pytestmark = pytest.mark.django_db


def found():
    return {name: lines for name, check in CHECKS.items() if (lines := check())}


def test_nothing_is_wrong_with_events_that_still_wait(seller, bidder, rival):
    lamp = rows.sale(seller, bidder, [rival])
    rows.outbid(lamp, bidder=rival, displaced=bidder)

    assert found() == {}


def test_each_notice_that_is_missing_is_named(seller, bidder, rival):
    lamp = rows.sale(seller, bidder, [rival])
    rows.outbid(lamp, bidder=rival, displaced=bidder)
    chair = rows.product(seller)
    rows.bid(chair, bidder)
    rows.closed(chair, result="reserve_not_met")
    EventOutbox.objects.all().delete()

    assert found() == {
        "16 every sale has told its winner and its seller": [
            f"event 1 of product {lamp.pk}: no auction_won to user {bidder.pk}",
            f"event 1 of product {lamp.pk}: no auction_sold to user {seller.pk}",
        ],
        "16 every auction without a sale has told its seller": [
            f"event 1 of product {chair.pk}: no auction_unsold to user {seller.pk}"
        ],
        "16 every loser was told": [
            f"user {rival.pk} lost product {lamp.pk} and was not told",
            f"user {bidder.pk} lost product {chair.pk} and was not told",
        ],
        "16 everybody who was outbid was told": [f"event 2 of product {lamp.pk}: no outbid to user {bidder.pk}"],
    }


def test_a_delivery_that_is_missing_or_contradicts_itself_is_named(seller, bidder, rival):
    rows.sale(seller, bidder, [rival])
    write_notices()
    won, sold, _ = Notification.objects.order_by("pk")
    Delivery.objects.filter(notification=won).delete()
    delivery = Delivery.objects.get(notification=sold)
    now = delivery.due_at
    Delivery.objects.filter(pk=delivery.pk).update(sent_at=now, given_up_at=now)
    Notification.objects.create(recipient=bidder, kind="riddle", title="?", message="?", source="nowhere")

    assert found() == {
        "16 every notice is of a known kind": [f"notification {won.pk + 3} is of unknown kind riddle"],
        "17 every mailed notice has its delivery": [f"notification {won.pk} (auction_won) has no delivery"],
        "17 a mail is sent, or given up, or waits": [f"delivery {delivery.pk} is both sent and given up"],
    }
