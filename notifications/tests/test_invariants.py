import pytest

from accounts.models import User
from auctions.models import AuctionEvent, EventOutbox
from notifications.models import EmailDelivery, Notification, Preference
from notifications.services.outbox import write_notifications
from notifications.tests import rows
from tests.violations import find_violations

pytestmark = pytest.mark.django_db


def found():
    return find_violations("notifications")


def test_events_in_the_outbox_are_no_violation(seller, bidder, rival):
    lamp = rows.sale(seller, bidder, [rival])
    rows.outbid(lamp, bidder=rival, displaced=bidder)

    assert found() == {}


def test_missing_notifications_are_found(seller, bidder, rival):
    lamp = rows.sale(seller, bidder, [rival])
    rows.outbid(lamp, bidder=rival, displaced=bidder)
    chair = rows.product(seller)
    rows.bid(chair, bidder)
    rows.closed(chair, result="reserve_not_met")
    EventOutbox.objects.all().delete()

    assert found() == {
        "16 users are notified of auction events": [
            f"product {lamp.pk}: no auction_won for event 1 to user {bidder.pk}",
            f"product {lamp.pk}: no auction_sold for event 1 to user {seller.pk}",
            f"product {lamp.pk}: no auction_lost for event 1 to user {rival.pk}",
            f"product {lamp.pk}: no outbid for event 2 to user {bidder.pk}",
            f"product {chair.pk}: no auction_unsold for event 1 to user {seller.pk}",
            f"product {chair.pk}: no auction_lost for event 1 to user {bidder.pk}",
        ],
    }


def test_malformed_event_out_of_the_outbox_is_found(seller, bidder, rival):
    lamp = rows.sale(seller, bidder, [rival])
    write_notifications()
    AuctionEvent.objects.update(private={})
    assert found() == {
        "16 users are notified of auction events": [f"product {lamp.pk}: event 1 is malformed: KeyError('winner')"]
    }


def test_missing_or_contradictory_deliveries_are_found(seller, bidder, rival):
    rows.sale(seller, bidder, [rival])
    write_notifications()
    won, sold, lost = Notification.objects.order_by("pk")
    EmailDelivery.objects.filter(notification=won).delete()
    delivery = EmailDelivery.objects.get(notification=sold)
    now = delivery.next_attempt_at
    EmailDelivery.objects.filter(pk=delivery.pk).update(sent_at=now, next_attempt_at=None)
    Notification.objects.filter(pk=sold.pk).update(in_app=False)
    Notification.objects.filter(pk=lost.pk).update(in_app=False, mailed=False)
    unknown = Notification.objects.create(
        recipient=bidder, kind="unknown", title="?", message="?", source="nowhere", mailed=False
    )

    assert found() == {
        "16 notifications are of a registered kind": [f"notification {unknown.pk} is of unknown kind unknown"],
        "17 mailed notifications have a delivery": [f"notification {won.pk} (auction_won) has no delivery"],
        "17 nothing is mailed that its recipient switched off": [
            f"delivery {lost.delivery.pk} is of notification {lost.pk}, which is not to be mailed"
        ],
        "17 fixed kinds are shown and mailed": [f"notification {sold.pk} (auction_sold) is withheld"],
        "17 an email is sent, or given up, or waits": [f"delivery {delivery.pk} is both sent and given up"],
    }


def test_erased_users_need_no_notifications_and_must_not_keep_any(seller, bidder, rival):
    lamp = rows.sale(seller, bidder, [rival])
    rows.outbid(lamp, bidder=rival, displaced=bidder)
    write_notifications()
    for user in (seller, bidder, rival):
        user.email = f"erased-{user.pk}@invalid"
        user.save()

    kept = Notification.objects.order_by("pk")
    assert {name: sorted(lines) for name, lines in found().items()} == {
        "20 deleted accounts have no notifications": sorted(
            f"notification {row.pk} is kept of user {row.recipient_id}, whose account is deleted" for row in kept
        )
    }
    kept.delete()
    assert found() == {}


def test_preferences_of_unverified_users_are_found(bidder):
    row = Preference.objects.create(user=bidder, kind="outbid", in_app=True, mail=False)
    assert found() == {}
    User.objects.filter(pk=bidder.pk).update(email_verified_at=None)
    assert found() == {
        "23 a changed preference belongs to a proved address": [
            f"preference {row.pk} belongs to an address that nobody has proved"
        ]
    }
