"""The simulated clock: the unchanged SQL of production uses its time."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection, models, transaction
from django.db.models.functions import Now
from django.utils import timezone

from auctioncraft.core import clock
from auctioncraft.models import IdempotencyKey
from auctions.errors import AuctionNotOpen
from auctions.models import Auction, Product
from auctions.services import bidding, closing
from simulation.simulated_clock import NotScratchError, SimulatedClock, is_scratch
from tests import factories

START = datetime(2031, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)
DAY = timedelta(days=1)

pytestmark = [pytest.mark.sqlite, pytest.mark.django_db(transaction=True)]
on_postgresql = pytest.mark.skipif("connection.vendor != 'postgresql'", reason="PostgreSQL's own")


def sql(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0]


def in_a_query():
    return Product.objects.annotate(now=clock.DatabaseNow()).values_list("now", flat=True)[0]


def test_clocks_show_the_simulated_time(seller):
    factories.product(seller)
    with SimulatedClock(START) as simulated:
        for moment in (START, START + DAY, START + DAY + timedelta(microseconds=1)):
            simulated.move_to(moment)
            assert clock.now() == in_a_query() == timezone.now() == moment
            with transaction.atomic():
                assert clock.now() == clock.now() == moment
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(minutes=1)
    assert abs(in_a_query() - datetime.now(UTC)) < timedelta(minutes=1)


def test_database_default_columns_use_the_simulated_time(seller, bidder):
    with SimulatedClock(START) as simulated:
        simulated.move_to(START + DAY)
        product = factories.product(seller)
        bidding.place_bid(
            product_id=product.pk, bidder_id=bidder.pk, amount=Decimal(5), idempotency_key="0123456789abcdef"
        )
    # SQLite's strftime has milliseconds.
    accuracy = timedelta(0) if connection.vendor == "postgresql" else timedelta(milliseconds=1)
    for row in (Product.objects.get(), IdempotencyKey.objects.get()):
        assert abs(row.created_at - START - DAY) <= accuracy
    product = factories.product(seller)
    product.refresh_from_db()
    assert abs(product.created_at - datetime.now(UTC)) < timedelta(minutes=1)


def test_now_expression_uses_the_simulated_time(seller):
    factories.product(seller)
    with SimulatedClock(START):
        found = Product.objects.annotate(at=models.ExpressionWrapper(Now(), models.DateTimeField())).get().at
    assert abs(found - START) <= timedelta(milliseconds=1)


def test_auction_of_a_week_runs_in_simulated_time(seller, bidder, rival):
    with SimulatedClock(START) as simulated:
        product = factories.product(seller, ends_at=START + 7 * DAY, soft_close_window=0)
        simulated.move_to(START + 7 * DAY - timedelta(microseconds=1))
        answer = bidding.place_bid(product_id=product.pk, bidder_id=bidder.pk, amount=Decimal(5))
        assert answer["server_time"] == "2031-05-13T07:08:09.123455Z"
        assert closing.close_due() == 0
        simulated.move_to(START + 7 * DAY)
        with pytest.raises(AuctionNotOpen):
            bidding.place_bid(product_id=product.pk, bidder_id=rival.pk, amount=Decimal(9))
        assert closing.close_due() == 1
    assert Auction.objects.get().closed_at == START + 7 * DAY


def test_new_connection_uses_the_simulated_time():
    with SimulatedClock(START) as simulated:
        simulated.move_to(START + DAY)
        connection.close()
        assert clock.now() == START + DAY


def test_simulated_clock_never_moves_back():
    with SimulatedClock(START) as simulated, pytest.raises(ValueError, match="is before"):
        simulated.move_to(START - timedelta(microseconds=1))


def test_simulated_clock_twice_is_refused():
    with SimulatedClock(START), pytest.raises(RuntimeError), SimulatedClock(START):
        pass
    with SimulatedClock(START):
        assert clock.now() == START


def test_clocks_after_a_failure_are_real_again():
    with pytest.raises(ZeroDivisionError), SimulatedClock(START):
        1 / 0  # noqa: B018
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(minutes=1)


@pytest.mark.parametrize(
    "name", ["auctioncraft", "/srv/auctioncraft.sqlite3", "testshop", "contest", "/test_1/live.sqlite3"]
)
def test_simulated_clock_on_a_real_database_is_refused(name, monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "NAME", name)
    assert not is_scratch()
    with pytest.raises(NotScratchError), SimulatedClock(START):
        pass


@on_postgresql
def test_prepared_statements_follow_the_simulated_time():
    statement = "SELECT clock_timestamp() + interval '0'"
    cursor = connection.cursor().cursor
    for _ in range(12):  # prepared after the fifth
        real = cursor.execute(statement).fetchone()[0]
    assert sql(f"SELECT count(*) FROM pg_prepared_statements WHERE statement = $${statement}$$") == 1
    with SimulatedClock(START) as simulated:
        assert cursor.execute(statement).fetchone()[0] == START
        for hours in range(12):  # past the fifth run a generic plan may be kept
            simulated.move_to(START + timedelta(hours=hours))
            assert cursor.execute(statement).fetchone()[0] == simulated.now
        assert sql(f"SELECT count(*) FROM pg_prepared_statements WHERE statement = $${statement}$$") == 1
    assert timedelta(0) <= cursor.execute(statement).fetchone()[0] - real < timedelta(minutes=1)


@on_postgresql
@pytest.mark.parametrize("name", ["clock_timestamp", "statement_timestamp", "transaction_timestamp", "now"])
def test_simulated_clock_functions_have_the_volatility_of_the_originals(name):
    with SimulatedClock(START):
        assert sql(f"SELECT {name}()") == START
        kinds = "SELECT count(DISTINCT (provolatile, proparallel, prorettype)) FROM pg_proc WHERE pronargs = 0"
        assert sql(f"{kinds} AND proname = '{name}'") == 1
        assert sql(f"SELECT count(*) FROM pg_proc WHERE proname = '{name}'") == 2
