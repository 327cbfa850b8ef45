from datetime import timedelta
from decimal import Decimal

import pytest
from django.core import mail

from auctioncraft.core import clock
from auctions.models import Bid, SecondChanceOffer
from auctions.services import buying, closing, second_chance, voiding
from auctions.services.bidding import place_bid
from auctions.services.closing import close_auction
from notifications import tasks
from notifications.tests import rows
from payments.models import Order
from payments.services import expiry
from tests import factories
from tests.violations import find_violations

pytestmark = pytest.mark.django_db


def bid(product, bidder, amount):
    place_bid(product_id=product.pk, bidder_id=bidder.pk, amount=Decimal(amount))


def test_bids_and_sale_notify_everybody_once(seller, bidder, rival):
    lamp = rows.product(seller)
    bid(lamp, bidder, 5)
    bid(lamp, rival, 10)
    bid(lamp, bidder, 20)
    close_auction(product_id=lamp.pk, actor=seller)

    for _ in range(2):
        tasks.write_notifications()
        tasks.send_notification_emails()

    expected = [
        ("bidder", "auction_won"),
        ("bidder", "outbid"),
        ("bidder", "payment_due"),
        ("rival", "auction_lost"),
        ("rival", "outbid"),
        ("seller", "auction_sold"),
    ]
    assert sorted((name, kind) for name, kind, _ in rows.notified()) == expected
    assert sorted((message.to[0].split("@")[0], message.subject) for message in mail.outbox) == [
        ("bidder", "Please pay for “A lamp”"),
        ("bidder", "You were outbid on “A lamp”"),
        ("bidder", "You won “A lamp”"),
        ("rival", "You did not win “A lamp”"),
        ("rival", "You were outbid on “A lamp”"),
        ("seller", "“A lamp” was sold"),
    ]
    assert find_violations("notifications") == {}


def run_jobs():
    """Run the jobs twice, so that duplicates would show."""
    for _ in range(2):
        tasks.write_notifications()
        tasks.notify_ending_soon()
        tasks.send_notification_emails()


def notified_since(seen):
    """Return the notifications since `seen`, and all so far."""
    everything = {(name, kind) for name, kind, _ in rows.notified()}
    return sorted(everything - seen), everything


def test_void_unpaid_order_and_second_chance_notify_everybody(seller, bidder, rival, staff):
    third = factories.user("third@example.com")
    lamp = rows.product(seller)
    for user, amount in ((third, 5), (bidder, 10), (rival, 20), (staff, 30)):
        bid(lamp, user, amount)
    top = Bid.objects.get(product=lamp, bidder=staff)
    voiding.void_bid(
        product_id=lamp.pk,
        bid_id=top.pk,
        actor=factories.user("other-staff@example.com", is_staff=True),
        reason="A slip.",
    )
    run_jobs()
    new, seen = notified_since(set())
    assert new == [
        ("bidder", "outbid"),
        ("rival", "bid_voided"),
        ("rival", "outbid"),
        ("seller", "bid_voided"),
        ("staff", "bid_voided"),
        ("third", "outbid"),
    ]

    close_auction(product_id=lamp.pk, actor=seller)
    Order.objects.update(created_at=clock.now() - timedelta(hours=25))
    expiry.remind_due()
    run_jobs()
    new, seen = notified_since(seen)
    assert new == [
        ("bidder", "auction_lost"),
        ("rival", "auction_won"),
        ("rival", "payment_due"),
        ("rival", "payment_reminder"),
        ("seller", "auction_sold"),
        ("third", "auction_lost"),
    ]

    Order.objects.update(due_at=clock.now())
    expiry.expire_due()
    second_chance.offer(product_id=lamp.pk, actor=seller)
    SecondChanceOffer.objects.update(expires_at=clock.now())
    second_chance.lapse_due()
    second_chance.offer(product_id=lamp.pk, actor=seller)
    second_chance.accept(product_id=lamp.pk, bidder=third)
    run_jobs()
    new, seen = notified_since(seen)
    assert new == [
        ("bidder", "second_chance_offer"),
        ("rival", "payment_expired"),
        ("seller", "payment_expired"),
        ("seller", "second_chance_ended"),
        ("third", "auction_won"),
        ("third", "payment_due"),
        ("third", "second_chance_offer"),
    ]
    assert [kind for name, kind, _ in rows.notified() if name == "seller"].count("auction_sold") == 2
    # Of the two sales of the product, the second email to the seller waits: an hour is between two about the same.
    assert len(mail.outbox) == len(rows.notified()) - 1
    assert find_violations("notifications") == {}


def test_waived_reserve_notifies_only_the_others_as_losers(seller, bidder, rival):
    lamp = rows.product(seller, reserve_price=Decimal(50))
    bid(lamp, rival, 5)
    bid(lamp, bidder, 10)
    close_auction(product_id=lamp.pk, actor=seller)
    closing.accept_below_reserve(product_id=lamp.pk, actor=seller)
    run_jobs()

    assert notified_since(set())[0] == [
        ("bidder", "auction_lost"),
        ("bidder", "auction_won"),
        ("bidder", "payment_due"),
        ("rival", "auction_lost"),
        ("rival", "outbid"),
        ("seller", "auction_sold"),
        ("seller", "auction_unsold"),
    ]


def test_buy_now_notifies_buyer_seller_and_bidder(seller, bidder, rival):
    lamp = rows.product(seller, reserve_price=Decimal(50), buy_now_price=Decimal(60))
    bid(lamp, rival, 5)
    buying.buy_now(product_id=lamp.pk, buyer=bidder, price=Decimal(60))
    run_jobs()

    assert notified_since(set())[0] == [
        ("bidder", "auction_won"),
        ("bidder", "payment_due"),
        ("rival", "auction_lost"),
        ("seller", "auction_sold"),
    ]
