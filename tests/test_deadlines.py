"""Deadlines to the microsecond, and times in other time zones."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from auctions.models import Auction, Bid, Product
from auctions.services import closing, second_chance
from auctions.tests import auction_helpers
from payments.models import Order
from payments.services import expiry
from simulation.simulated_clock import SimulatedClock
from tests import factories
from tests.violations import find_violations

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


def test_bid_a_microsecond_before_start_is_refused(clock, product, bidder):
    clock.move_to(START + HOUR - TICK)
    refused(product, bidder)
    clock.move_to(START + HOUR)
    auction_helpers.bid(product, bidder, "5")
    assert Bid.objects.get().placed_at == START + HOUR


def test_bid_at_the_end_is_refused(clock, product, bidder, rival):
    clock.move_to(START + DAY - TICK)
    auction_helpers.bid(product, bidder, "5")
    assert Bid.objects.get().placed_at == START + DAY - TICK
    clock.move_to(START + DAY)
    refused(product, rival, "50")
    assert Bid.objects.count() == 1


def test_close_due_a_microsecond_before_the_end_closes_nothing(clock, product):
    clock.move_to(START + DAY - TICK)
    assert closing.close_due() == 0
    clock.move_to(START + DAY)
    assert closing.close_due() == 1
    assert Auction.objects.get().closed_at == START + DAY


def test_soft_close_extends_within_its_window_up_to_hard_end(clock, seller, bidder, rival):
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


def test_hidden_raise_and_extending_bid_at_one_moment_are_valid(clock, product, bidder, rival):
    """check_invariants once took the extension by the bid for one before the raise."""
    Product.objects.update(soft_close_window=120, soft_close_extension=120)
    clock.move_to(START + DAY - timedelta(seconds=90))
    auction_helpers.bid(product, bidder, "5")
    clock.move_to(START + DAY - timedelta(seconds=60))
    auction_helpers.bid(product, bidder, max_amount="6")
    auction_helpers.bid(product, rival, "7")
    assert find_violations("auctions") == {}


def test_accept_below_reserve_at_48_hours_is_refused(clock, seller, bidder):
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


def test_order_reminds_at_24_and_48_and_expires_at_96_hours(clock, product, bidder):
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


def test_second_chance_after_24_hours_lapses_without_a_worker(clock, product, seller, bidder, rival):
    clock.move_to(START + HOUR)
    auction_helpers.bid(product, rival, "5")
    auction_helpers.bid(product, bidder, "6")
    clock.move_to(START + DAY)
    closing.close_due()
    clock.move_to(START + 5 * DAY)
    expiry.expire_due()
    second_chance.offer(product_id=product.pk, actor=seller)
    clock.move_to(START + 6 * DAY)
    with pytest.raises(Exception, match="no longer open") as refusal:
        second_chance.accept(product_id=product.pk, bidder=rival)
    assert refusal.value.code == "second_chance_not_open"
    assert second_chance.lapse_due() == 1


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        # In Berlin 2:30 occurs twice on 25 October 2026.
        ("2026-10-25T02:30:00+02:00", "2026-10-25T00:30:00Z"),
        ("2026-10-25T02:30:00+01:00", "2026-10-25T01:30:00Z"),
        # 2:30 does not occur on 29 March, but its offset says which moment is meant.
        ("2026-03-29T02:30:00+01:00", "2026-03-29T01:30:00Z"),
        ("2026-10-25T23:59:59.999999-12:00", "2026-10-26T11:59:59.999999Z"),
        ("2026-10-25T14:00:00+14:00", "2026-10-25T00:00:00Z"),
        ("2026-10-25T00:30:00", "2026-10-25T00:30:00Z"),
    ],
)
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Pacific/Auckland"])
def test_time_with_an_offset_is_stored_as_that_moment(clock, as_user, seller, settings, sent, meant, zone):
    settings.TIME_ZONE = zone
    body = {"name": "Clock", "category": factories.category().pk, "starting_bid": 1, "ends_at": sent}
    answer = as_user(seller).post("/api/products/", body)
    assert answer.status_code == 201, answer.content
    assert answer.json()["ends_at"] == meant
    assert as_user(seller).get(f"/api/products/{answer.json()['id']}/").json()["ends_at"] == meant


def test_auction_across_daylight_saving_keeps_its_duration(clock, seller, bidder, settings):
    settings.TIME_ZONE = "Europe/Berlin"
    start = datetime(2026, 3, 28, 20, tzinfo=UTC)
    product = factories.product(seller, starts_at=start, ends_at=start + DAY)
    clock.move_to(start + DAY - TICK)
    auction_helpers.bid(product, bidder, "5")
    assert Bid.objects.get().placed_at - start == DAY - TICK
