"""Deadlines to the microsecond, and times in other zones, by the clock that decides."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from auctioncraft.core.invariants import find_violations
from auctions.models import Auction, Bid, Product
from auctions.services import closing, second_chance
from auctions.tests import auction_helpers
from payments.models import Order
from payments.services import expiry
from simulation.simulated_clock import SimulatedClock
from tests import factories

pytestmark = [pytest.mark.sqlite, pytest.mark.django_db(transaction=True)]

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@pytest.fixture
def clock():
    with SimulatedClock(START) as clock:
        yield clock


@pytest.fixture
def product(clock, seller):
    return factories.product(seller, starts_at=START + HOUR, ends_at=START + DAY, soft_close_window=0)


def refused(product, bidder, amount="5"):
    with pytest.raises(Exception, match="not open") as refusal:
        auction_helpers.bid(product, bidder, amount)
    assert refusal.value.code == "auction_not_open"


def test_the_first_bid_is_at_the_start_and_not_a_microsecond_before(clock, product, bidder):
    clock.move_to(START + HOUR - TICK)
    refused(product, bidder)
    clock.move_to(START + HOUR)
    auction_helpers.bid(product, bidder, "5")
    assert Bid.objects.get().placed_at == START + HOUR


def test_the_last_bid_is_a_microsecond_before_the_end_and_not_at_it(clock, product, bidder, rival):
    clock.move_to(START + DAY - TICK)
    auction_helpers.bid(product, bidder, "5")
    assert Bid.objects.get().placed_at == START + DAY - TICK
    clock.move_to(START + DAY)
    refused(product, rival, "50")
    assert Bid.objects.count() == 1


def test_it_is_due_at_its_end_and_not_a_microsecond_before(clock, product):
    clock.move_to(START + DAY - TICK)
    assert closing.close_due() == 0
    clock.move_to(START + DAY)
    assert closing.close_due() == 1
    assert Auction.objects.get().closed_at == START + DAY


def test_the_soft_close_begins_under_its_window_and_ends_at_the_hard_end(clock, seller, bidder, rival):
    product = factories.product(seller, ends_at=START + DAY, soft_close_window=120, soft_close_extension=120)
    minutes = timedelta(minutes=2)
    clock.move_to(START + DAY - minutes)
    auction_helpers.bid(product, bidder, "5")
    assert Auction.objects.get().ends_at == START + DAY
    clock.move_to(START + DAY - minutes + TICK)
    auction_helpers.bid(product, rival, "6")
    assert Auction.objects.get().ends_at == START + DAY + TICK

    hard = START + DAY + minutes
    Auction.objects.update(hard_ends_at=hard)
    clock.move_to(START + DAY)
    auction_helpers.bid(product, bidder, "7")
    assert Auction.objects.get().ends_at == hard
    clock.move_to(hard - TICK)
    auction_helpers.bid(product, rival, "8")
    assert Auction.objects.get().ends_at == hard


def test_a_raise_that_nobody_saw_and_a_bid_that_extends_may_share_a_moment(clock, product, bidder, rival):
    """Found by the state machine: check_invariants took the bid's extension for one before the raise."""
    Product.objects.update(soft_close_window=120, soft_close_extension=120)
    clock.move_to(START + DAY - timedelta(seconds=90))
    auction_helpers.bid(product, bidder, "5")
    clock.move_to(START + DAY - timedelta(seconds=60))
    auction_helpers.bid(product, bidder, max_amount="6")
    auction_helpers.bid(product, rival, "7")
    assert find_violations("auctions") == {}


def test_below_the_reserve_the_seller_has_48_hours_to_the_microsecond(clock, seller, bidder):
    early, late = (factories.product(seller, reserve_price=Decimal(50), ends_at=START + DAY) for _ in range(2))
    for product in (early, late):
        auction_helpers.bid(product, bidder, max_amount="20")
    clock.move_to(START + DAY)
    assert closing.close_due() == 2
    clock.move_to(START + 3 * DAY - TICK)
    assert closing.accept_below_reserve(product_id=early.pk, actor=seller).status == "sold"
    clock.move_to(START + 3 * DAY)
    with pytest.raises(Exception, match="48 hours") as refusal:
        closing.accept_below_reserve(product_id=late.pk, actor=seller)
    assert refusal.value.code == "reserve_not_acceptable"


def test_an_order_is_reminded_of_at_24_and_48_hours_and_expires_at_96(clock, product, bidder):
    clock.move_to(START + HOUR)
    auction_helpers.bid(product, bidder, "5")
    clock.move_to(START + DAY)
    closing.close_due()
    sold_at = clock.now
    for hours, sent in ((24, 1), (48, 2)):
        clock.move_to(sold_at + hours * HOUR - TICK)
        assert expiry.remind_due() == 0
        clock.move_to(sold_at + hours * HOUR)
        assert (expiry.remind_due(), expiry.remind_due(), Order.objects.get().reminders_sent) == (1, 0, sent)
    clock.move_to(sold_at + 96 * HOUR - TICK)
    assert expiry.expire_due() == 0
    clock.move_to(sold_at + 96 * HOUR)
    assert expiry.expire_due() == 1
    assert Order.objects.get().expired_at == sold_at + 96 * HOUR


def test_a_second_chance_lapses_after_24_hours_whether_or_not_a_worker_came(clock, product, seller, bidder, rival):
    clock.move_to(START + HOUR)
    auction_helpers.bid(product, rival, "5")
    auction_helpers.bid(product, bidder, "6")
    clock.move_to(START + DAY)
    closing.close_due()
    clock.move_to(START + 5 * DAY)
    expiry.expire_due()
    second_chance.offer(product_id=product.pk, actor=seller)
    clock.move_to(START + 6 * DAY)
    with pytest.raises(Exception, match="not open any more") as refusal:
        second_chance.accept(product_id=product.pk, bidder=rival)
    assert refusal.value.code == "second_chance_not_open"
    assert second_chance.lapse_due() == 1


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        # The clocks go back on 25 October 2026 at 3:00 in Berlin: half past two comes twice.
        ("2026-10-25T02:30:00+02:00", "2026-10-25T00:30:00Z"),
        ("2026-10-25T02:30:00+01:00", "2026-10-25T01:30:00Z"),
        # They go forward on 29 March: half past two is not there, but its offset says what is meant.
        ("2026-03-29T02:30:00+01:00", "2026-03-29T01:30:00Z"),
        ("2026-10-25T23:59:59.999999-12:00", "2026-10-26T11:59:59.999999Z"),
        ("2026-10-25T14:00:00+14:00", "2026-10-25T00:00:00Z"),
        ("2026-10-25T00:30:00", "2026-10-25T00:30:00Z"),
    ],
)
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Pacific/Auckland"])
def test_a_time_is_what_its_offset_says_wherever_the_server_stands(clock, as_user, seller, settings, sent, meant, zone):
    settings.TIME_ZONE = zone
    body = {"name": "Clock", "category": factories.category().pk, "starting_bid": 1, "ends_at": sent}
    answer = as_user(seller).post("/api/products/", body)
    assert answer.status_code == 201, answer.content
    assert answer.json()["ends_at"] == meant
    assert as_user(seller).get(f"/api/products/{answer.json()['id']}/").json()["ends_at"] == meant


def test_an_auction_over_the_change_of_the_clocks_lasts_as_long_as_any(clock, seller, bidder, settings):
    settings.TIME_ZONE = "Europe/Berlin"
    start = datetime(2026, 3, 28, 20, tzinfo=UTC)
    product = factories.product(seller, starts_at=start, ends_at=start + DAY)
    clock.move_to(start + DAY - TICK)
    auction_helpers.bid(product, bidder, "5")
    assert Bid.objects.get().placed_at - start == DAY - TICK
