"""Text that is added to a description while there are bids: dated, shown apart, and all bidders are notified."""

import pytest

from auctioncraft.core import clock
from auctions.models import AuctionEvent
from auctions.services import voiding
from auctions.tests import auction_helpers
from notifications.models import Notification
from notifications.services.outbox import write_notifications
from tests import factories
from tests.db_snapshot import broken_invariants

pytestmark = pytest.mark.django_db


def append(caller, product, text):
    return caller.patch(f"/api/products/{product.pk}/", {"description": text})


def test_added_text_is_dated_and_shown_apart(as_user, client, seller, bidder):
    product, caller = factories.product(seller, description="A lamp."), as_user(seller)
    auction_helpers.bid(product, bidder, "5")
    for text in ("A lamp. It is broken.", "A lamp. It is broken.\nAnd old."):
        assert append(caller, product, text).status_code == 200
    shown = client.get(f"/api/products/{product.pk}/").json()
    times = AuctionEvent.objects.filter(kind="edited").order_by("seq").values_list("created_at", flat=True)
    assert shown["description"] == "A lamp. It is broken.\nAnd old."
    assert shown["description_additions"] == [
        {"text": text, "added_at": clock.isoformat_utc(at)}
        for text, at in zip(("It is broken.", "And old."), times, strict=True)
    ]


def test_text_before_the_first_bid_is_no_addition(as_user, client, seller, bidder):
    product = factories.product(seller, description="A lamp.")
    append(as_user(seller), product, "A lamp. It works.")
    assert client.get(f"/api/products/{product.pk}/").json()["description_additions"] == []
    write_notifications()
    assert Notification.objects.count() == 0


def test_all_bidders_are_notified_of_added_text(as_user, seller, bidder, rival, staff):
    product, voided = factories.product(seller, description="A lamp."), factories.user("third@example.com")
    made = auction_helpers.bid(product, voided, "4")
    auction_helpers.bid(product, bidder, "5")
    auction_helpers.bid(product, rival, "20")
    voiding.void_bid(product_id=product.pk, bid_id=made["bid"]["id"], actor=staff, reason="No.")
    append(as_user(seller), product, "A lamp. It is broken.")
    write_notifications()
    told = Notification.objects.filter(kind="description_added")
    assert set(told.values_list("recipient", flat=True)) == {bidder.pk, rival.pk}
    assert told[0].message == (
        "The seller added text to the description of “A thing”, on which you have bid. Please read it."
    )
    assert broken_invariants() == []
