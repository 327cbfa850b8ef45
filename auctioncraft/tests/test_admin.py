"""Every page of the admin opens; money and bids are read-only there."""

from decimal import Decimal

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from accounts.models import OneTimeCode
from accounts.services import otp
from auctioncraft.tests import factories
from auctions.models import Auction, Product
from auctions.services import bidding, closing, listing
from notifications.services import events
from payments.models import Payment, StripeEvent

pytestmark = pytest.mark.django_db

MODELS = [model for model in admin.site._registry if model._meta.app_label != "auth"]


@pytest.fixture
def house(seller, bidder, staff):
    """A row of everything."""
    product = factories.product(seller, name="<script>alert(1)</script>")
    listing.watch(product_id=product.pk, user=bidder)
    bidding.place_bid(product_id=product.pk, bidder_id=bidder.pk, amount=Decimal(9))
    closing.close_auction(product_id=product.pk, actor=seller)
    events.write_notices()
    bidding.place_bid(product_id=factories.product(seller).pk, bidder_id=bidder.pk, amount=Decimal(9))
    order = product.orders.get()
    Payment.objects.create(order=order, amount=order.total, currency=order.currency)
    StripeEvent.objects.create(id="evt_1", type="customer.created", payload={})
    otp.request_code(email="new@example.com", ip="127.0.0.1")
    return product


@pytest.fixture
def browser():
    """The admin as the superuser sees it."""
    client = Client()
    client.force_login(factories.user("root@example.com", is_staff=True, is_superuser=True))
    return client


def page(model, name, *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_every_page_opens(house, browser, as_user, bidder, model):
    as_user(bidder)
    assert browser.get(page(model, "changelist")).status_code == 200
    assert browser.get(page(model, "changelist"), {"q": "a"}).status_code == 200
    row = model._default_manager.first()
    if row is not None:
        assert browser.get(page(model, "change", row.pk)).status_code == 200
    assert browser.get(page(model, "add")).status_code in {200, 403}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_what_records_money_or_bids_cannot_be_made_or_removed(browser, rf, model):
    if model._meta.label in {"accounts.User", "auctions.Category"}:
        return
    request = rf.get("/")
    request.user = factories.user("other@example.com", is_staff=True, is_superuser=True)
    assert not admin.site._registry[model].has_add_permission(request)


def test_an_order_cannot_be_changed(house, browser):
    order = house.orders.get()
    browser.post(page(type(order), "change", order.pk), {"total": "1", "status": "paid"})
    order.refresh_from_db()
    assert (order.total, order.status) == (9, "awaiting_payment")


def test_the_price_of_an_auction_cannot_be_changed(house, browser):
    browser.post(page(Auction, "change", house.pk), {"price": "1", "maximum": "1", "status": "open"})
    assert (house.auction.__class__.objects.get(pk=house.pk).status) == "sold"


def test_markup_in_a_name_is_escaped(house, browser):
    body = browser.get(page(Product, "changelist")).content.decode()
    assert "<script>alert(1)" not in body
    assert "&lt;script&gt;alert(1)" in body


def test_no_page_shows_a_code(house, browser):
    code = OneTimeCode.objects.get()
    for name in ("changelist", "change"):
        body = browser.get(page(OneTimeCode, name, *([code.pk] if name == "change" else []))).content.decode()
        assert code.nonce not in body
        assert otp.reveal(code) not in body


def test_nobody_but_staff_comes_in(house, client, bidder):
    stranger = Client()
    stranger.force_login(bidder)
    assert stranger.get("/admin/").status_code == 302
