"""The invariants of auctions find each corruption, and nothing in what services write."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from auctioncraft.core import clock
from auctioncraft.core.invariants import all_invariants, run
from auctioncraft.models import IdempotencyKey
from auctions.models import Auction, AuctionEvent, Bid, Product
from auctions.services.bidding import place_bid
from auctions.services.closing import close_auction
from tests import factories
from tests.violations import find_violations

pytestmark = [pytest.mark.sqlite, pytest.mark.django_db]


def findings():
    return find_violations("auctions")


def is_violated(name):
    """Check one invariant: all of them take a quarter of a second."""
    (found,) = run([checked for checked in all_invariants("auctions") if checked.name == name])
    return bool(found.findings)


def bid(product, bidder, amount=None, max_amount=None, key=None):
    return place_bid(
        product_id=product.pk,
        bidder_id=bidder.pk,
        amount=amount and Decimal(amount),
        max_amount=max_amount and Decimal(max_amount),
        idempotency_key=key,
    )


@pytest.fixture
def lamp(seller, bidder, rival):
    """Open, extended twice, with every kind of bid: led by the rival at 31.00."""
    product = factories.product(seller, name="Lamp", ends_at=clock.now() + timedelta(seconds=60))
    bid(product, bidder, "10", max_amount="20", key="one")  # version 1, event 1; event 2 extends
    bid(product, rival, "15")  # outbid by proxy: version 2, event 3; event 4 extends
    bid(product, bidder, max_amount="30")  # raised in silence: version 3
    bid(product, rival, max_amount="50")  # version 4, event 5; event 6 extends
    return product


@pytest.fixture
def vase(seller, bidder):
    """Sold to the bidder at 12.00."""
    product = factories.product(seller, name="Vase")
    bid(product, bidder, "12")
    close_auction(product_id=product.pk, actor=seller)
    return product


def test_invariants_hold_for_what_services_write(lamp, vase, seller, bidder, rival, settings):
    settings.OFFLINE_PAYMENTS = True
    unsold = factories.product(seller, reserve_price=Decimal(90))
    bid(unsold, bidder, "5")
    bid(unsold, rival, max_amount="80")
    close_auction(product_id=unsold.pk, actor=seller)
    nothing = factories.product(seller)
    close_auction(product_id=nothing.pk, actor=seller)
    yen = factories.product(seller, currency="JPY", starting_bid=Decimal(100), reserve_price=Decimal(5000))
    bid(yen, bidder, "150", max_amount="6000")
    bid(yen, rival, "5500")
    dinar = factories.product(seller, currency="KWD", starting_bid=Decimal("0.005"))
    bid(dinar, bidder, "1.234")
    factories.product(seller)

    assert findings() == {}


def test_invariants_for_many_auctions_need_the_queries_of_one(lamp, seller, bidder):
    def queries():
        with CaptureQueriesContext(connection) as seen:
            assert findings() == {}
        return len(seen)

    first = queries()
    for _ in range(5):
        bid(factories.product(seller), bidder, "5")
    assert queries() == first


def auction(product, **fields):
    Auction.objects.filter(pk=product.pk).update(**fields)


def bids(product, **where):
    return Bid.objects.filter(product=product, **where)


def events(product, **where):
    return AuctionEvent.objects.filter(product=product, **where)


REPLAY = "1, 4, 7 each auction's state and end follow from its bids"
AFTER = "8 nothing happens after the close, nothing post-sale before it"
HOUR = timedelta(hours=1)
CORRUPTIONS = {
    "a lost update": (REPLAY, lambda lamp, vase: auction(lamp, price=Decimal(30), leader_max=Decimal(30))),
    "another leader": (REPLAY, lambda lamp, vase: auction(lamp, leader=lamp.seller)),
    "a higher maximum": (REPLAY, lambda lamp, vase: auction(lamp, leader_max=Decimal(51))),
    "an end that was moved in silence": (REPLAY, lambda lamp, vase: auction(vase, last_bid_at=clock.now() - HOUR)),
    "a bid's price": (
        REPLAY,
        lambda lamp, vase: bids(lamp, version=2, position=0).update(displayed_amount=Decimal("15.50")),
    ),
    "a bid's maximum": (REPLAY, lambda lamp, vase: bids(lamp, version=3).update(max_amount=Decimal(20))),
    "a proxy's row made a person's": (
        REPLAY,
        lambda lamp, vase: bids(lamp, version=2, outcome="automatic").update(outcome="leading"),
    ),
    "a bid that is gone": (REPLAY, lambda lamp, vase: bids(lamp, version=3).delete()),
    "a count": ("1 bid_count counts the public bids", lambda lamp, vase: auction(lamp, bid_count=9)),
    "an event that is gone": (
        "2 each product's event log has no gaps",
        lambda lamp, vase: events(lamp, seq=3).delete(),
    ),
    "a log that begins at 0": (
        "2 each product's event log has no gaps",
        lambda lamp, vase: events(lamp, seq=1).update(seq=0),
    ),
    "a seq ahead of the log": ("2 each product's event log has no gaps", lambda lamp, vase: auction(lamp, seq=9)),
    "a bid without its event": (
        "2 every public bid has its event and every such event its bid",
        lambda lamp, vase: events(vase, seq=1).update(kind="edited"),
    ),
    "an event without its bid": (
        "2 every public bid has its event and every such event its bid",
        lambda lamp, vase: bids(vase).delete(),
    ),
    "an event of another moment": (
        "2 every public bid has its event and every such event its bid",
        lambda lamp, vase: events(vase, seq=1).update(created_at=F("created_at") - HOUR),
    ),
    "a bid ahead of its auction": (
        "2 no bid has a later version than its auction",
        lambda lamp, vase: auction(lamp, version=3),
    ),
    "an auction that is gone": (
        "2 no bid has a later version than its auction",
        lambda lamp, vase: Auction.objects.filter(pk=lamp.pk).delete(),
    ),
    "a price that falls": (
        "2, 4 bid amounts and times never fall",
        lambda lamp, vase: bids(lamp, version=4, outcome="leading").update(displayed_amount=Decimal(29)),
    ),
    "a fraction of a cent": (
        "3 amounts are within their limits and fit their currency",
        lambda lamp, vase: bids(vase).update(amount=Decimal("12.005")),
    ),
    "nothing": (
        "3 amounts are within their limits and fit their currency",
        lambda lamp, vase: bids(vase).update(amount=Decimal(0)),
    ),
    "more than the cap": (
        "3 amounts are within their limits and fit their currency",
        lambda lamp, vase: auction(lamp, leader_max=Decimal(100_000_000)),
    ),
    "a fraction of a cent for shipping": (
        "3 amounts are within their limits and fit their currency",
        lambda lamp, vase: Product.objects.filter(pk=lamp.pk).update(shipping=Decimal("5.005")),
    ),
    "shipping below zero": (
        "3 amounts are within their limits and fit their currency",
        lambda lamp, vase: Product.objects.filter(pk=lamp.pk).update(shipping=-1),
    ),
    "a seller's bid": (
        "4 no seller bids on their own product",
        lambda lamp, vase: bids(vase).update(bidder=lamp.seller),
    ),
    "a bid before the start": (
        REPLAY,
        lambda lamp, vase: auction(lamp, starts_at=F("starts_at") + timedelta(seconds=50)),
    ),
    "a bid at the end": (
        REPLAY,
        lambda lamp, vase: auction(vase, ends_at=bids(vase).get().placed_at),
    ),
    "a moment that falls": (
        "2, 4 bid amounts and times never fall",
        lambda lamp, vase: bids(lamp, version=1).update(placed_at=clock.now() + timedelta(seconds=5)),
    ),
    "an answer to no bid": (
        "5 every stored response has its bid",
        lambda lamp, vase: IdempotencyKey.objects.update(
            response={"bid": {"id": "0190a000-0000-7000-8000-000000000000"}}
        ),
    ),
    "an answer that is nonsense": (
        "5 every stored response has its bid",
        lambda lamp, vase: IdempotencyKey.objects.update(response={"bid": {"id": "x'"}}),
    ),
    "an end beyond the extensions": (
        REPLAY,
        lambda lamp, vase: auction(lamp, ends_at=F("ends_at") + timedelta(seconds=1)),
    ),
    "an extension of nothing": (
        REPLAY,
        lambda lamp, vase: events(lamp, seq=4).update(data={"from": "soon", "ends_at": None}),
    ),
    "an extension of another end": (
        REPLAY,
        lambda lamp, vase: events(lamp, seq=4).update(data=events(lamp, seq=2).get().data),
    ),
    "a bid after the end as it stood": (
        REPLAY,
        lambda lamp, vase: events(lamp, seq=2).update(created_at=F("created_at") + timedelta(seconds=90)),
    ),
    "a sale to another": (
        "8 results match the state of the auction",
        lambda lamp, vase: auction(vase, winner=lamp.seller),
    ),
    "a sale at another price": (
        "8 results match the state of the auction",
        lambda lamp, vase: auction(vase, hammer_price=Decimal(11)),
    ),
    "a status without its result": (
        "8 results match the state of the auction",
        lambda lamp, vase: auction(vase, status="unsold", winner=None, hammer_price=None, sale_type=""),
    ),
    "a close without its event": (
        "8 every closed auction was closed once",
        lambda lamp, vase: events(vase, kind="closed").update(kind="edited"),
    ),
    "two closes": (
        "8 every closed auction was closed once",
        lambda lamp, vase: AuctionEvent.objects.create(
            product=vase, seq=3, kind="closed", data={}, created_at=vase.created_at
        ),
    ),
    "a close of what is open": (
        "8 every closed auction was closed once",
        lambda lamp, vase: events(lamp, seq=6).update(kind="closed"),
    ),
    "a bid after the close": (
        AFTER,
        lambda lamp, vase: bids(vase).update(placed_at=clock.now() + HOUR),
    ),
    "a bid after the close, in the log": (AFTER, lambda lamp, vase: bids(vase).update(seq=3)),
    "an auction that was not closed": (
        "9 no auction is overdue",
        lambda lamp, vase: auction(
            lamp, starts_at=clock.now() - HOUR, ends_at=clock.now() - timedelta(seconds=61), hard_ends_at=clock.now()
        ),
    ),
}


@pytest.mark.parametrize("what", CORRUPTIONS)
def test_invariants_find_each_corruption(what, lamp, vase):
    check, corrupt = CORRUPTIONS[what]
    assert not is_violated(check)
    corrupt(lamp, vase)
    assert is_violated(check)


def test_invariant_finding_names_the_row_and_the_error(lamp, vase):
    auction(lamp, price=Decimal(30))
    assert findings() == {REPLAY: [f"product {lamp.pk}: price is 30.000, its bids give 31.00"]}


def test_invariants_hold_when_the_clock_steps_back(seller, bidder, rival):
    product = factories.product(seller)
    bid(product, bidder, "5")
    auction(product, last_bid_at=clock.now() + timedelta(seconds=30))
    Bid.objects.update(placed_at=Auction.objects.get().last_bid_at)
    AuctionEvent.objects.update(created_at=Auction.objects.get().last_bid_at)
    bid(product, rival, "8")
    close_auction(product_id=product.pk, actor=seller)

    assert findings() == {}
