import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from django.db import transaction

from auctioncraft.core import clock
from auctioncraft.core.ids import uuid7
from auctions.models import Product
from tests import factories


@pytest.mark.django_db
def test_the_clock_is_utc_and_moves_within_a_transaction():
    with transaction.atomic():
        first = clock.now()
        time.sleep(0.002)
        assert clock.now() > first
    assert first.utcoffset() == timedelta(0)
    assert abs(first - datetime.now(UTC)) < timedelta(minutes=1)


@pytest.mark.django_db
def test_the_clock_in_a_query_is_the_same_clock(seller):
    factories.product(seller)
    before = clock.now()
    moment = Product.objects.annotate(now=clock.DatabaseNow()).get().now
    assert before <= moment <= clock.now()
    assert Product.objects.filter(auction__ends_at__gt=clock.DatabaseNow()).exists()
    assert not Product.objects.filter(auction__starts_at__gt=clock.DatabaseNow()).exists()


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05Z"),
        (datetime(2026, 1, 2, 3, 4, 5, 6000, tzinfo=UTC), "2026-01-02T03:04:05.006000Z"),
        (datetime(2026, 1, 2, 3, tzinfo=timezone(timedelta(hours=5))), "2026-01-01T22:00:00Z"),
    ],
)
def test_a_moment_is_written_in_utc_with_z(moment, text):
    assert clock.isoformat_utc(moment) == text


def test_ids_are_version_7_and_in_the_order_of_their_making():
    before = time.time_ns() // 1_000_000
    made = []
    for _ in range(5):
        made.append(uuid7())
        time.sleep(0.002)
    assert made == sorted(made)
    assert {(one.version, one.variant) for one in made} == {(7, "specified in RFC 4122")}
    assert before <= made[0].int >> 80 <= time.time_ns() // 1_000_000
    assert len({uuid7() for _ in range(10_000)}) == 10_000
