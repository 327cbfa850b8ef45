"""One product from its listing to its second sale, with all invariants at each step."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from auctions import tasks
from auctions.models import Auction, AuctionEvent, Product
from auctions.services import closing, editing, relisting, second_chance, voiding
from auctions.tests import auction_helpers
from payments.models import Order
from payments.services import expiry
from simulation.simulated_clock import SimulatedClock
from tests import factories
from tests.db_snapshot import broken_invariants

pytestmark = [pytest.mark.sqlite, pytest.mark.django_db(transaction=True)]

HOUR = timedelta(hours=1)


def kinds(product):
    rows = AuctionEvent.objects.filter(product=product).order_by("seq").values_list("seq", "kind")
    assert [seq for seq, _ in rows] == list(range(1, len(rows) + 1))
    return [kind for _, kind in rows]


@pytest.fixture
def clock():
    """A clock that stops until it is moved."""
    with SimulatedClock(timezone.now()) as simulated:
        yield simulated


def test_product_from_void_to_second_chance_to_relisting_stays_consistent(clock, seller, bidder, rival, staff):
    third = factories.user("third@example.com")
    product = factories.product(seller, description="Old.", starts_at=clock.now + HOUR, ends_at=clock.now + 25 * HOUR)
    editing.edit_product(product_id=product.pk, actor=seller, changes={"shipping": Decimal(5), "name": "A lamp"})
    clock.move_to(clock.now + 2 * HOUR)
    auction_helpers.bid(product, third, "20")
    made = auction_helpers.bid(product, rival, max_amount="500")
    clock.move_to(clock.now + HOUR)
    voiding.void_bid(product_id=product.pk, bid_id=made["bid"]["id"], actor=staff, reason="No.")
    editing.edit_product(product_id=product.pk, actor=seller, changes={"description": "Old. It works."})
    closing.extend_auction(
        product_id=product.pk, actor=staff, ends_at=Auction.objects.get().ends_at + HOUR, reason="A slip."
    )
    clock.move_to(Auction.objects.get().ends_at - timedelta(seconds=30))
    auction_helpers.bid(product, rival, "40")
    auction_helpers.bid(product, bidder, "50")
    assert broken_invariants() == []
    clock.move_to(Auction.objects.get().ends_at - timedelta(microseconds=1))
    assert closing.close_due() == 0
    clock.move_to(Auction.objects.get().ends_at)
    assert closing.close_due() == 1
    for hours, count in ((24, 1), (48, 2)):
        clock.move_to(Order.objects.get().created_at + hours * HOUR)
        expiry.remind_due()
        assert Order.objects.get().reminders_sent == count
    clock.move_to(Order.objects.get().due_at)
    assert expiry.expire_due() == 1
    assert broken_invariants() == []
    second_chance.offer(product_id=product.pk, actor=seller)
    clock.move_to(clock.now + 24 * HOUR)
    tasks.lapse_offers()
    second_chance.offer(product_id=product.pk, actor=staff)
    second_chance.accept(product_id=product.pk, bidder=third)
    assert broken_invariants() == []
    clock.move_to(clock.now + 96 * HOUR)
    assert expiry.expire_due() == 1
    new = relisting.relist(product_id=product.pk, actor=seller, changes={"starting_bid": Decimal(2)})
    assert broken_invariants() == []
    assert kinds(product) == [
        "edited",
        *("bid_placed", "bid_placed", "bid_voided", "edited", "extended"),
        *("bid_placed", "extended", "bid_placed", "closed", "sale_fell_through"),
        *("second_chance_offered", "second_chance_lapsed", "second_chance_offered", "second_chance_accepted"),
        *("sale_fell_through", "relisted"),
    ]
    orders = Order.objects.order_by("pk").values_list("buyer", "total", "status")
    assert list(orders) == [(bidder.pk, 55, "expired"), (third.pk, 25, "expired")]
    auction = Auction.objects.get(pk=new.pk)
    assert (auction.starts_at, auction.ends_at - auction.starts_at) == (
        clock.now,
        timedelta(hours=25, minutes=1, seconds=30),
    )
    assert Product.objects.get(pk=new.pk).starting_bid == 2
