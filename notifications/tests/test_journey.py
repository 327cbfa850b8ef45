from decimal import Decimal

import pytest
from django.core import mail

from auctions.services.bidding import place_bid
from auctions.services.closing import close_auction
from notifications import tasks
from notifications.invariants import CHECKS
from notifications.tests import rows

pytestmark = pytest.mark.django_db


def bid(product, bidder, amount):
    place_bid(product_id=product.pk, bidder_id=bidder.pk, amount=Decimal(amount))


def test_from_the_first_bid_to_the_order_everybody_is_told_once_what_concerns_them(seller, bidder, rival):
    lamp = rows.product(seller)
    bid(lamp, bidder, 5)
    bid(lamp, rival, 10)
    bid(lamp, bidder, 20)
    close_auction(product_id=lamp.pk, actor=seller)

    for _ in range(2):
        tasks.write_notices()
        tasks.deliver()

    told = [
        ("bidder", "auction_won"),
        ("bidder", "outbid"),
        ("bidder", "payment_due"),
        ("rival", "auction_lost"),
        ("rival", "outbid"),
        ("seller", "auction_sold"),
    ]
    assert sorted((name, kind) for name, kind, _ in rows.told()) == told
    assert sorted((message.to[0].split("@")[0], message.subject) for message in mail.outbox) == [
        ("bidder", "Please pay for “A lamp”"),
        ("bidder", "You were outbid on “A lamp”"),
        ("bidder", "You won “A lamp”"),
        ("rival", "You did not win “A lamp”"),
        ("rival", "You were outbid on “A lamp”"),
        ("seller", "“A lamp” is sold"),
    ]
    assert {name: found for name, check in CHECKS.items() if (found := check())} == {}
