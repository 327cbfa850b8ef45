import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from django.db import transaction

from auctioncraft.core import clock
from auctions.models import Product
from tests import factories

pytestmark = pytest.mark.sqlite


@pytest.mark.django_db
def test_clock_within_a_transaction_advances_in_utc():
    with transaction.atomic():
        first = clock.now()
        time.sleep(0.002)
        assert clock.now() > first
    assert first.utcoffset() == timedelta(0)
    assert abs(first - datetime.now(UTC)) < timedelta(minutes=1)


@pytest.mark.django_db
def test_clock_in_a_query_equals_the_clock(seller):
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
def test_isoformat_utc_ends_with_z(moment, text):
    assert clock.isoformat_utc(moment) == text
