"""A product keeps the terms of its listing when settings change; a relisting takes the current ones."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from auctions.formats import base
from auctions.models import Auction, Product
from auctions.services import closing, editing, relisting, second_chance, voiding
from auctions.tests import auction_helpers
from payments.models import Order
from payments.services import expiry
from tests import factories
from tests.db_snapshot import broken_invariants
from tests.time_travel import advance_time

pytestmark = pytest.mark.django_db

COARSE = ((Decimal(0), Decimal(10)),)


@pytest.fixture
def new_rules(monkeypatch, settings):
    """Change every setting of the rules."""

    def change():
        monkeypatch.setattr(base, "_USD", COARSE)
        settings.SOFT_CLOSE_WINDOW = timedelta(seconds=7)
        settings.SOFT_CLOSE_EXTENSION = timedelta(seconds=9)
        settings.SOFT_CLOSE_CAP = timedelta(minutes=1)
        settings.BUYERS_PREMIUM_BANDS = ((Decimal(0), Decimal(50)),)
        settings.DEFAULT_CURRENCY = "EUR"

    return change


def rules(product):
    product.refresh_from_db()
    auction = Auction.objects.get(pk=product.pk)
    return (
        product.currency,
        product.increments,
        product.soft_close_window,
        product.soft_close_extension,
        auction.hard_ends_at - auction.ends_at,
        product.premium_bands,
    )


def test_changed_settings_apply_to_new_auctions_only(client, seller, bidder, new_rules):
    old = factories.product(seller)
    before = rules(old)
    new_rules()
    new = factories.product(seller)
    assert rules(old) == before
    assert rules(new) == ("EUR", [["0", "10"]], 7, 9, timedelta(minutes=1), [["0", "50"]])
    for product, minimum in ((old, "5.50"), (new, "15.00")):
        assert auction_helpers.bid(product, bidder, "5")["product"]["minimum_bid"] == minimum
        shown = client.get(f"/api/products/{product.pk}/").json()
        listed = client.get(f"/api/products/?seller={seller.pk}&search=").json()["results"]
        assert shown["minimum_bid"] == minimum
        assert minimum in {row["minimum_bid"] for row in listed}
    assert broken_invariants() == []


def test_changed_increments_leave_running_proxies(seller, bidder, rival, new_rules):
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, max_amount="50")
    new_rules()
    assert auction_helpers.bid(product, rival, "20")["product"]["current_price"] == "20.50"


def test_changed_soft_close_leaves_running_auctions(seller, bidder, new_rules):
    product = factories.product(seller, ends_at=timezone.now() + timedelta(seconds=60))
    new_rules()
    auction_helpers.bid(product, bidder, "5")
    auction = Auction.objects.get()
    assert auction.ends_at == auction.last_bid_at + timedelta(seconds=120)


def test_changed_soft_close_leaves_auctions_without_one(seller, bidder, new_rules):
    product = factories.product(
        seller, ends_at=timezone.now() + timedelta(seconds=5), soft_close_window=0, soft_close_extension=0
    )
    new_rules()
    auction_helpers.bid(product, bidder, "5")
    assert Auction.objects.get().ends_at == product.auction.ends_at


def test_changed_premium_leaves_order_and_second_chance(seller, bidder, rival, settings, new_rules):
    settings.BUYERS_PREMIUM_BANDS = ((Decimal(0), Decimal(20)), (Decimal(50), Decimal(10)))
    product = factories.product(seller)
    auction_helpers.bid(product, rival, "40")
    auction_helpers.bid(product, bidder, "60")
    new_rules()
    closing.close_auction(product_id=product.pk, actor=seller)
    order = Order.objects.get()
    assert (order.buyers_premium, order.total) == (11, 71)
    advance_time(product, hours=96)
    expiry.expire_due()
    second_chance.offer(product_id=product.pk, actor=seller)
    second_chance.accept(product_id=product.pk, bidder=rival)
    order = Order.objects.get(buyer=rival)
    assert (order.buyers_premium, order.total) == (8, 48)


def test_changed_premium_leaves_the_preview(as_user, seller, bidder, new_rules):
    product = factories.product(seller)
    new_rules()
    answer = as_user(bidder).post(f"/api/products/{product.pk}/bids/preview/", {"amount": "10"}).json()
    assert answer["at_most"]["buyers_premium"] == "0.00"


def test_void_uses_the_stored_increments(seller, bidder, rival, staff, new_rules):
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, max_amount="50")
    auction_helpers.bid(product, rival, max_amount="20")
    made = auction_helpers.bid(product, rival, max_amount="30")
    new_rules()
    voiding.void_bid(product_id=product.pk, bid_id=made["bid"]["id"], actor=staff, reason="No.")
    assert Auction.objects.get().price == Decimal("20.50")


def test_void_under_a_lower_cap_works(seller, bidder, rival, staff, settings):
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, "5000")
    made = auction_helpers.bid(product, rival, "6000")
    settings.MAX_AMOUNT = Decimal(100)
    voiding.void_bid(product_id=product.pk, bid_id=made["bid"]["id"], actor=staff, reason="No.")
    auction = Auction.objects.get()
    assert (auction.leader, auction.price) == (bidder, 5000)


def test_edit_of_another_field_keeps_the_stored_terms(seller, new_rules):
    product = factories.product(seller)
    before = rules(product)
    new_rules()
    changes = {"name": "A lamp", "ends_at": product.auction.ends_at + timedelta(days=1)}
    editing.edit_product(product_id=product.pk, actor=seller, changes=changes)
    assert rules(product) == before


def test_relisting_takes_current_terms_and_keeps_the_sellers_soft_close(seller, new_rules):
    old = factories.product(seller, soft_close_window=30, soft_close_extension=40)
    closing.close_auction(product_id=old.pk, actor=seller)
    before = rules(old)
    new_rules()
    new = relisting.relist(product_id=old.pk, actor=seller, changes={})
    assert rules(new) == ("USD", [["0", "10"]], 30, 40, timedelta(minutes=1), [["0", "50"]])
    assert rules(old) == before


def test_relisting_with_flat_increment_keeps_it(seller, new_rules):
    old = factories.product(seller, bid_increment=Decimal(3))
    closing.close_auction(product_id=old.pk, actor=seller)
    new_rules()
    relisting.relist(product_id=old.pk, actor=seller, changes={})
    assert Product.objects.get(relisted_from=old).increments == [["0", "3.00"]]
