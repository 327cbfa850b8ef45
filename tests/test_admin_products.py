"""Editing and deleting products in the admin."""

from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry

from auctioncraft.core import clock
from auctions.models import Auction, AuctionEvent, EventOutbox, Product, ProductImage, Watch
from auctions.services import buying, closing, editing, voiding, watching
from auctions.tests import auction_helpers
from notifications.services.outbox import write_notifications
from tests import admin_pages, factories
from tests.admin_pages import page

pytestmark = pytest.mark.django_db
HAS_BIDS = "This product has bids. You can only add text to the end of its description."
# The form data for no images.
INLINE = {"images-TOTAL_FORMS": 0, "images-INITIAL_FORMS": 0}


@pytest.fixture
def operator():
    return admin_pages.operator()


@pytest.fixture
def product(seller):
    return factories.product(seller, name="Lamp", description="One.\nTwo.")


def save(client, product, **fields):
    answer = client.post(page(Product, "change", product.pk), {**INLINE, **fields}, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def product_and_events(product):
    return (Product.objects.values().get(pk=product.pk), Auction.objects.values().get(pk=product.pk))


def test_admin_product_edit_changes_text_and_no_amounts(operator, client, product):
    other = factories.category("Other")
    form = {"name": "A lamp", "description": "Bright.", "category": other.pk}
    money = {"starting_bid": "0.01", "shown_reserve": "0", "currency": "EUR", "seller": "1", "reserve_price": "1"}
    before = Product.objects.values().get()
    assert "was changed successfully" in save(operator, product, **form, **money)
    assert Product.objects.values().get() == {
        **before,
        "name": "A lamp",
        "description": "Bright.",
        "category_id": other.pk,
    }
    event = AuctionEvent.objects.latest("seq")
    assert (event.kind, event.data) == ("edited", {"fields": ["category", "description", "name"]})
    assert event.private == {"editor": admin_pages.user(operator).pk}
    assert (event.seq, EventOutbox.objects.latest("pk").seq) == (Auction.objects.get().seq, event.seq)
    assert client.get(f"/api/products/{product.pk}/events/").json()["count"] == event.seq


@pytest.mark.parametrize("description", ["One.\nTwo.", "One.\r\nTwo.", " One.\r\n\nTwo. \n"])
def test_admin_product_save_without_change_writes_no_event(operator, seller, description):
    product = factories.product(seller, name="Lamp", description=description)
    # As a browser sends it.
    sent = description.replace("\r\n", "\n").replace("\n", "\r\n")
    save(operator, product, name="Lamp", description=sent, category=product.category_id)
    assert not AuctionEvent.objects.exists()
    assert Product.objects.get().description == description
    assert LogEntry.objects.get().get_change_message() == "No fields changed."


def test_admin_product_edit_with_bids_only_appends_to_description(operator, seller, bidder):
    product = factories.product(seller, name="Lamp", description=" One.\nTwo.\n")
    auction_helpers.bid(product, bidder, "5")
    text = operator.get(page(Product, "change", product.pk)).content.decode()
    assert all(f'name="{field}"' in text for field in INLINE)
    assert ('name="description"' in text, 'name="name"' in text, 'name="category"' in text) == (True, False, False)
    assert "was changed successfully" in save(operator, product, description=" One.\r\nTwo.\r\n")
    assert not AuctionEvent.objects.filter(kind="edited").exists()
    save(operator, product, description=" One.\r\nTwo.\r\nThree.")
    assert Product.objects.get().description == " One.\nTwo.\nThree."
    before = product_and_events(product)
    assert HAS_BIDS in save(operator, product, description="Another.")
    assert product_and_events(product) == before


def test_admin_product_edit_overtaken_by_bid_is_refused(operator, product, bidder):
    auction_helpers.bid(product, bidder, "5")
    before = product_and_events(product)
    form = {"name": "Another", "description": "One.\r\nTwo.", "category": factories.category("Other").pk}
    text = save(operator, product, **form)
    assert HAS_BIDS in text
    assert "was changed successfully" not in text
    assert product_and_events(product) == before


def test_admin_product_edit_overtaken_by_close_is_refused(operator, product, seller):
    closing.close_auction(product_id=product.pk, actor=seller)
    before = product_and_events(product)
    text = save(operator, product, name="Another", description="", category=product.category_id)
    assert "This auction is already closed." in text
    assert product_and_events(product) == before
    shown = operator.get(page(Product, "change", product.pk)).content.decode()
    assert 'name="description"' not in shown
    save(operator, product)
    assert product_and_events(product) == before


def test_admin_product_with_view_permission_cannot_be_changed(product):
    client = admin_pages.clerk("view_product")
    before = product_and_events(product)
    address = page(Product, "change", product.pk)
    assert client.get(address).status_code == 200
    assert client.post(address, {**INLINE, "name": "A", "description": "", "category": 1}).status_code == 403
    admin_pages.confirm(client, Product, "delete", [product])
    assert product_and_events(product) == before


def test_close_due_while_admin_edits_skips_the_auction(product, seller):
    write_notifications()
    editing.edit_product(product_id=product.pk, actor=seller, changes={"name": "A lamp"})
    write_notifications()
    assert not EventOutbox.objects.exists()


def test_admin_product_delete_removes_log_watches_and_images(operator, product, bidder):
    watching.watch(product_id=product.pk, user=bidder)
    save(operator, product, name="A lamp", description="", category=product.category_id)
    names = {"image": "products/large.jpg", "thumbnail": "products/small.jpg"}
    ProductImage.objects.create(product=product, position=0, **names, width=8, height=6, created_at=clock.now())
    assert "are deleted for good" in admin_pages.act(operator, Product, "delete", [product]).content.decode()
    assert Product.objects.exists()
    assert "deleted." in admin_pages.confirm(operator, Product, "delete", [product]).content.decode()
    for model in (Product, Auction, AuctionEvent, EventOutbox, Watch, ProductImage):
        assert not model.objects.exists()


def test_admin_product_delete_with_voided_bid_is_refused(operator, product, bidder, staff):
    auction_helpers.bid(product, bidder, "5")
    voiding.void_bid(product_id=product.pk, bid_id=product.bids.get().pk, actor=staff, reason="A slip.")
    text = admin_pages.confirm(operator, Product, "delete", [product]).content.decode()
    assert "This product has bids and can no longer be changed." in text
    assert Product.objects.exists()


def test_admin_product_delete_after_sale_is_refused(operator, seller, bidder):
    product = factories.product(seller, buy_now_price=Decimal(20))
    buying.buy_now(product_id=product.pk, buyer=bidder, price=Decimal(20))
    text = admin_pages.confirm(operator, Product, "delete", [product]).content.decode()
    assert "This auction is already closed." in text
    assert Product.objects.exists()
