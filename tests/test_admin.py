"""The admin: all pages open, and rows that only services write are read-only."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.models import PreviousEmail
from accounts.services import otp, staff_actions, tokens
from auctioncraft.core import clock
from auctions.models import (
    Auction,
    AuctionEvent,
    Bid,
    BidVoid,
    Category,
    EventOutbox,
    Product,
    ProductImage,
    SecondChanceOffer,
    Watch,
)
from auctions.services import closing, second_chance, voiding, watching
from auctions.tests import auction_helpers
from notifications.models import Preference
from notifications.services.outbox import write_notifications
from payments.models import (
    Customer,
    Dispute,
    Order,
    Payment,
    Payout,
    Reconciliation,
    Refund,
    SavedCard,
    SellerAccount,
    SellerHold,
    StripeEvent,
)
from payments.services import expiry
from tests import admin_pages, factories
from tests.admin_pages import ESCAPED, MARKUP, page

pytestmark = pytest.mark.django_db
MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)


@pytest.fixture
def operator():
    """A superuser."""
    return admin_pages.operator()


@pytest.fixture
def clerk():
    """Staff with every permission on auctions, and no superuser."""
    return admin_pages.clerk()


@pytest.fixture
def product(seller, bidder, rival):
    """An open auction with markup in its name, a reserve, a hidden maximum and a watcher."""
    product = factories.product(seller, name=MARKUP, reserve_price=Decimal("43.21"))
    auction_helpers.bid(product, bidder, "50", max_amount="7654.32")
    auction_helpers.bid(product, rival, "60")
    watching.watch(product_id=product.pk, user=rival)
    return product


@pytest.fixture
def rows(product, seller, bidder, rival, staff):
    """At least one row of every model."""
    sold = factories.product(seller, name="Sold")
    auction_helpers.bid(sold, rival, "8")
    auction_helpers.bid(sold, bidder, "9")
    closing.close_auction(product_id=sold.pk, actor=seller)
    Order.objects.update(due_at=clock.now())
    assert expiry.expire_due() == 1
    second_chance.offer(product_id=sold.pk, actor=seller)
    order = Order.objects.get()
    payment = Payment.objects.create(order=order, amount=order.total, currency="USD")
    Refund.objects.create(payment=payment, amount=1, currency="USD")
    Dispute.objects.create(payment=payment, stripe_dispute_id="dp_1", amount=1, currency="USD", opened_at=clock.now())
    SellerAccount.objects.create(user=seller, stripe_account_id="acct_1")
    share = {"currency": "USD", "gross": order.total, "fee": 0, "amount": order.total}
    Payout.objects.create(order=order, seller=seller, **share, route="manual", status="due")
    SellerHold.objects.create(seller=seller, reason=MARKUP, held_at=clock.now())
    otp.request_code(email="new@example.com", ip=None)
    tokens.sign_in(user=bidder, user_agent="tests", ip=None)
    PreviousEmail.objects.create(user=bidder, email="former@example.com", replaced_at=clock.now())
    write_notifications()
    auction_helpers.bid(product, bidder, max_amount="8765.43")
    spoken = Bid.objects.get(product=product, amount="60")
    voiding.void_bid(product_id=product.pk, bid_id=spoken.pk, actor=staff, reason=MARKUP)
    StripeEvent.objects.create(id="evt_1", type="a", payload={})
    Reconciliation.objects.create(since=clock.now(), differences=[{"text": "charge of 1.00 USD", "ids": ["ch_1"]}])
    Customer.objects.create(user=bidder, stripe_customer_id="cus_1")
    SavedCard.objects.create(
        user=bidder, stripe_payment_method_id="pm_1", brand="visa", last4="4242", exp_month=12, exp_year=2040
    )
    Preference.objects.create(user=bidder, kind="outbid", in_app=True, mail=False)
    Group.objects.create(name="Clerks")
    TOTPDevice.objects.create(user=staff, name="Telephone")
    staff_actions.record(actor=staff, action="group_deleted", target="group 1", reason=MARKUP)
    return {model: model.objects.first() for model in MODELS}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_admin_pages_of_every_model_open(operator, rows, model):
    assert rows[model], "the test made no such row"
    assert operator.get(page(model)).status_code == 200
    assert operator.get(page(model), {"q": "thing"}).status_code == 200
    assert operator.get(page(model, "change", rows[model].pk)).status_code == 200
    may_add = admin.site._registry[model].has_add_permission(operator.get("/admin/").wsgi_request)
    assert operator.get(page(model, "add")).status_code == (200 if may_add else 403)


def test_admin_index_lists_every_model(operator, rows):
    text = operator.get("/admin/").content.decode()
    for model in MODELS:
        assert page(model) in text


@pytest.mark.parametrize(
    "model", [Product, Auction, Bid, BidVoid, SecondChanceOffer, AuctionEvent, EventOutbox, Watch, Category]
)
def test_admin_list_with_more_rows_needs_no_more_queries(operator, rows, bidder, rival, staff, model):
    def queries():
        with CaptureQueriesContext(connection) as made:
            assert operator.get(page(model)).status_code == 200
        return len(made)

    queries()  # Django caches the content types from here on
    few = queries()
    for number in range(8):
        person, category = factories.user(f"{number}@example.com"), factories.category(f"C{number}")
        another = factories.product(person, category_id=category.pk)
        auction_helpers.bid(another, (bidder, rival)[number % 2], "5")
        void = another.bids.get()
        voiding.void_bid(product_id=another.pk, bid_id=void.pk, actor=staff, reason="A slip.")
        auction_helpers.bid(another, (bidder, rival)[number % 2], "6")
        at = clock.now()
        terms = another.sale_terms().to_json()
        SecondChanceOffer.objects.create(
            product=another, bidder=person, amount=1, terms=terms, offered_at=at, expires_at=at
        )
        watching.watch(product_id=another.pk, user=person)
    assert queries() == few


@pytest.mark.parametrize("model", [Auction, Bid, BidVoid, SecondChanceOffer, AuctionEvent, EventOutbox, Watch])
def test_admin_of_rows_written_by_services_is_read_only(operator, rows, model):
    pk, before = rows[model].pk, list(model.objects.order_by("pk").values())
    assert operator.get(page(model, "add")).status_code == 403
    assert operator.post(page(model, "change", pk), {"price": "1", "status": "sold"}).status_code == 403
    assert operator.post(page(model, "delete", pk), {"post": "yes"}).status_code == 403
    operator.post(page(model), {"action": "delete_selected", "_selected_action": [pk], "post": "yes"})
    assert list(model.objects.order_by("pk").values()) == before
    shown = operator.get(page(model, "change", pk)).content.decode()
    assert 'name="_save"' not in shown


@pytest.mark.parametrize("model", [Product, Auction, Bid, BidVoid, AuctionEvent, Watch])
def test_admin_pages_escape_markup(operator, rows, product, model):
    row = (
        product.auction
        if model is Auction
        else product
        if model is Product
        else model.objects.filter(product=product)[0]
    )
    for address in (page(model), page(model, "change", row.pk)):
        text = operator.get(address).content.decode()
        assert MARKUP not in text
        assert ESCAPED in text


def test_admin_shows_maximum_and_reserve_to_superusers_only(operator, clerk, product, bidder):
    auction_helpers.bid(product, bidder, max_amount="9876.54")
    bids = Bid.objects.filter(bidder=bidder, max_amount__isnull=False)
    secret = {
        page(Auction, "change", product.pk): "9876.54 USD",
        page(Product, "change", product.pk): "43.21 USD",
        page(Bid, "change", bids.get(max_amount=Decimal("7654.32")).pk): "7654.32 USD",
    }
    for address, text in secret.items():
        assert text in operator.get(address).content.decode()
        answer = clerk.get(address)
        assert answer.status_code == 200
        assert text.removesuffix(" USD") not in answer.content.decode()
    for model in (Auction, Bid, Product, AuctionEvent):
        text = clerk.get(page(model)).content.decode()
        assert not any(number in text for number in ("9876.54", "7654.32", "43.21"))


def test_admin_shows_premium_bands_relisting_and_sale(operator, settings, seller, bidder, rows):
    settings.BUYERS_PREMIUM_BANDS = ((Decimal(0), Decimal(10)), (Decimal(1000), Decimal("2.5")))
    product = factories.product(seller, relisted_from=rows[Order].product)
    text = operator.get(page(Product, "change", product.pk)).content.decode()
    assert "from 0: 10 %, from 1000: 2.5 %" in text
    assert page(Product, "change", rows[Order].product_id) in text
    text = operator.get(page(Auction, "change", rows[Order].product_id)).content.decode()
    assert "Payment defaulted at" in text
    assert "Hammer" in text


def test_admin_product_shows_images_read_only(operator, seller):
    product = factories.product(seller)
    names = {"image": "products/large.jpg", "thumbnail": "products/small.jpg"}
    ProductImage.objects.create(product=product, position=0, **names, width=800, height=600, created_at=clock.now())
    address = page(Product, "change", product.pk)
    text = operator.get(address).content.decode()
    assert f'<img src="{ProductImage.objects.get().thumbnail.url}"' in text
    assert 'name="images-0-image"' not in text
    form = {"name": "Lamp", "description": "", "category": product.category_id}
    inline = {"images-TOTAL_FORMS": 1, "images-INITIAL_FORMS": 1, "images-0-id": 1, "images-0-DELETE": "on"}
    operator.post(address, {**form, **inline, "images-0-product": product.pk, "images-0-position": 7})
    assert ProductImage.objects.get().position == 0


def test_admin_category_below_itself_is_refused(operator):
    top = factories.category("Top")
    below = factories.category("Below", parent=top)
    answer = operator.post(page(Category, "change", top.pk), {"name": "Top", "slug": "top", "parent": below.pk})
    assert answer.status_code == 200
    assert "A category cannot be below itself." in answer.content.decode()
    added = operator.post(page(Category, "add"), {"name": "New", "slug": "new", "parent": below.pk})
    assert (added.status_code, Category.objects.get(slug="new").parent) == (302, below)
    renamed = operator.post(page(Category, "change", top.pk), {"name": "First", "slug": "top", "parent": ""})
    assert (renamed.status_code, Category.objects.get(pk=top.pk).name) == (302, "First")


def test_admin_category_in_use_is_not_deleted(operator, product):
    text = admin_pages.confirm(operator, Category, "delete", [product.category]).content.decode()
    assert "This category has products or categories below it." in text
    assert Category.objects.filter(pk=product.category_id).exists()


def test_admin_list_filters_work(operator, rows):
    since = clock.now() - timedelta(days=1)
    for address, query in (
        (page(Product), {"currency": "USD", "auction__status": "open"}),
        (page(Product), {"created_at__year": since.year, "created_at__month": since.month}),
        (page(Auction), {"status": "sold", "paid_at__isempty": "1"}),
        (page(Auction), {"sale_type": "hammer", "payment_defaulted_at__isempty": "0"}),
        (page(Bid), {"outcome": "automatic"}),
        (page(Bid), {"void__isempty": "0"}),
        (page(BidVoid), {"q": "alert"}),
        (page(SecondChanceOffer), {"status": "offered", "q": "bidder"}),
        (page(AuctionEvent), {"kind": "closed", "q": "1"}),
        (page(Auction), {"q": "bidder@example.com"}),
    ):
        assert operator.get(address, query).status_code == 200
    assert "Sold" in operator.get(page(Auction), {"status": "sold"}).content.decode()


def test_admin_without_staff_session_redirects_to_login(bidder):
    client = Client()
    client.force_login(bidder)
    for who in (client, Client()):
        answer = who.get(page(Bid))
        assert (answer.status_code, answer["Location"].split("?")[0]) == (302, "/admin/login/")
