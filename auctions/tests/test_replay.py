"""The replay of bids and ends through the rules of their format: sound histories pass, damaged ones are found."""

import random
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction
from uuid_utils.compat import uuid7

from auctioncraft.core import clock
from auctioncraft.core.errors import DomainError
from auctioncraft.core.invariants import Batch
from auctions.formats import ascending
from auctions.formats.base import Outcome
from auctions.invariants import replay
from auctions.models import Auction, AuctionEvent, Bid, BidVoid, Product
from auctions.services.closing import extend_auction
from auctions.services.voiding import void_bid
from auctions.tests.auction_helpers import bid
from tests import factories

pytestmark = [pytest.mark.sqlite, pytest.mark.django_db]


HOUR = timedelta(hours=1)


@pytest.fixture
def crowd(db):
    return [factories.user(f"bidder{number}@example.com") for number in range(4)]


def replayed():
    """Return what the replay of all auctions finds."""
    first, last = (Product.objects.order_by("pk").values_list("pk", flat=True)[:1][0], Product.objects.latest("pk").pk)
    return list(replay.check_replay(Batch(Product, first, last)))


def market(chance, seller, crowd):
    """Auctions of every kind of terms, with every kind of bid."""
    kinds = [
        {},
        {"reserve_price": Decimal(60)},
        {"reserve_price": Decimal(25), "bid_increment": Decimal("2.50")},
        {"currency": "JPY", "starting_bid": Decimal(100), "reserve_price": Decimal(3000)},
        {"currency": "KWD", "starting_bid": Decimal("0.005")},
        {"currency": "GBP"},
    ]
    products = [factories.product(seller, **fields) for fields in kinds]
    for product in products:
        for _ in range(12):
            minimum = ascending.minimum_bid(product.terms(), Auction.objects.get(pk=product.pk).price)
            low, high = (minimum * chance.choice((1, 1, 2, 4)) for _ in range(2))
            amount, most = chance.choice(((low, None), (None, high), (minimum, high)))
            try:
                bid(product, chance.choice(crowd), amount, most)
            except DomainError:
                continue
    return products


def forge(chance, products, crowd):
    """Damage one thing, as a bug or a hand might."""
    product = chance.choice([product for product in products if product.bids.exists()])
    rows = Bid.objects.filter(product=product)
    row = chance.choice(list(rows.order_by("version", "position")))
    one = Bid.objects.filter(pk=row.pk)
    by = Decimal(chance.choice(("0.001", "0.01", "1", "50", "-0.01", "-1")))
    other = chance.choice(crowd)
    auctions = Auction.objects.filter(pk=product.pk)
    auction = auctions.get()
    damages = [
        lambda: one.update(displayed_amount=row.displayed_amount + by),
        lambda: one.update(amount=(row.amount or row.displayed_amount) + by),
        lambda: one.update(max_amount=(row.max_amount or row.displayed_amount) + by),
        lambda: one.update(amount=None, max_amount=row.max_amount or row.displayed_amount),
        lambda: one.update(amount=0),
        lambda: one.update(bidder=other),
        lambda: one.update(bidder=product.seller_id),
        lambda: one.update(outcome=chance.choice(list(Outcome))),
        lambda: one.update(seq=None if row.seq else 999),
        lambda: one.update(position=row.position + 2),
        lambda: one.update(version=row.version + chance.choice((-1, 1, 30))),
        lambda: one.update(placed_at=row.placed_at + timedelta(days=1)),
        one.delete,
        rows.filter(version=row.version).delete,
        rows.filter(version__gte=row.version).delete,
        rows.delete,
        lambda: copy(row, outcome="automatic", position=7, seq=None),
        lambda: copy(row, version=row.version + 40),
        lambda: copy(row, version=row.version + 40, outcome="automatic"),
        lambda: auctions.update(leader=other),
        lambda: auctions.update(leader=None, price=None, leader_max=None),
        lambda: auctions.update(leader_max=(auction.leader_max or 0) + by),
        lambda: auctions.update(price=(auction.price or 0) + by),
        lambda: auctions.update(bid_count=auction.bid_count + 1),
        lambda: auctions.update(last_bid_at=None),
        lambda: Product.objects.filter(pk=product.pk).update(starting_bid=product.starting_bid + abs(by)),
        lambda: Product.objects.filter(pk=product.pk).update(reserve_price=chance.choice((None, 2, 40, 5000))),
        lambda: Product.objects.filter(pk=product.pk).update(increments=[["0", "3"], ["20", "7"]]),
        lambda: Product.objects.filter(pk=product.pk).update(currency=chance.choice(("USD", "JPY", "KWD"))),
    ]
    chance.choice(damages)()


def copy(row, **fields):
    for name, value in {"pk": uuid7(), **fields}.items():
        setattr(row, name, value)
    row.save(force_insert=True)


@pytest.mark.parametrize("seed", range(4))
def test_replay_of_damaged_history_finds_it(seed, seller, crowd, settings):
    settings.OFFLINE_PAYMENTS = True
    chance = random.Random(seed)
    products = market(chance, seller, crowd)
    assert replayed() == []
    found = 0
    for _ in range(60):
        undo = transaction.savepoint()
        try:
            with transaction.atomic():
                for _ in range(chance.choice((1, 1, 2))):
                    forge(chance, products, crowd)
        except IntegrityError:
            continue
        found += bool(replayed())
        transaction.savepoint_rollback(undo)
    assert found > 30


@pytest.fixture
def voided(seller, staff, crowd):
    """Three bids, of which the second, the highest, was voided; then one more."""
    product = factories.product(seller)
    bid(product, crowd[0], max_amount="20")
    bid(product, crowd[1], max_amount="90")
    bid(product, crowd[2], "30")
    void_bid(product_id=product.pk, bid_id=of(product, crowd[1]).pk, actor=staff, reason="A mistake.")
    bid(product, crowd[3], "40")
    return product


def of(product, bidder):
    return Bid.objects.made_by_people().get(product=product, bidder=bidder)


def test_what_was_voided_is_decided_without(voided, crowd):
    auction = Auction.objects.get()
    assert (auction.leader, auction.price, auction.bid_count) == (crowd[3], Decimal(40), 3)
    assert replayed() == []


def test_two_voids_are_decided_each_in_its_place(voided, staff, crowd):
    void_bid(product_id=voided.pk, bid_id=of(voided, crowd[3]).pk, actor=staff, reason="Another.")
    bid(voided, crowd[0], max_amount="35")
    assert replayed() == []


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        (lambda: BidVoid.objects.all().delete(), ", version 5: evaluated again it writes other rows"),
        (
            lambda: BidVoid.objects.update(bid=Bid.objects.get(version=1)),
            ", version 5: evaluated again it writes other rows",
        ),
        (lambda: BidVoid.objects.update(version=1), ", version 1: it voids no bid before it"),
        (lambda: BidVoid.objects.update(version=9), ", version 5: evaluated again it writes other rows"),
        (lambda: Auction.objects.update(bid_count=4), ": bid_count is 4, its bids give 3"),
    ],
)
def test_a_void_that_does_not_fit_is_found(voided, damage, line):
    damage()
    found = replayed()
    assert len(found) == 1
    assert found[0].startswith(f"product {voided.pk}{line}")


def test_raised_maximum_is_in_time_for_the_end_that_staff_had_moved_before_it(seller, staff, crowd):
    now = clock.now()
    product = factories.product(seller, ends_at=now + HOUR)
    bid(product, crowd[0], max_amount="20")
    extend_auction(product_id=product.pk, actor=staff, ends_at=now + 3 * HOUR, reason="An outage.")
    bid(product, crowd[0], max_amount="30")
    at = now + 2 * HOUR
    Bid.objects.filter(version=3).update(placed_at=at)
    Auction.objects.update(last_bid_at=at)
    assert replayed() == []

    AuctionEvent.objects.filter(kind="extended").update(seq=3)  # the bid has no event, so this is after it
    (found,) = replayed()
    assert found.startswith(f"product {product.pk}, version 3: evaluated again, at {at} before {now + HOUR}, it is")
