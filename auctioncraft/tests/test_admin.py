"""Every page of the admin opens, and what only services write cannot be typed."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.services import otp, tokens
from auctioncraft import clock
from auctioncraft.tests import factories
from auctions.models import Auction, AuctionEvent, Bid, Category, EventOutbox, Product, Watch
from auctions.services import closing, listing
from auctions.tests import acts
from notifications.services.events import write_notices
from payments.models import Order, Payment, StripeEvent

pytestmark = pytest.mark.django_db
MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
NAME = "<script>alert('name')</script>"


def page(model, what="changelist", *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{what}", args=args)


def signed_in(**fields):
    client = Client()
    client.force_login(factories.user(f"{len(fields)}@house.example", is_staff=True, **fields))
    return client


@pytest.fixture
def operator():
    """Somebody who may do everything."""
    return signed_in(is_superuser=True)


@pytest.fixture
def clerk():
    """Staff with every permission on auctions, and no superuser."""
    client = signed_in()
    user = client.get("/admin/").wsgi_request.user
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="auctions"))
    return client


@pytest.fixture
def product(seller, bidder, rival):
    """A running auction with markup in its name, a reserve, a hidden maximum and a watcher."""
    product = factories.product(seller, name=NAME, reserve_price=Decimal("43.21"))
    acts.bid(product, bidder, "50", most="7654.32")
    acts.bid(product, rival, "60")
    listing.watch(product_id=product.pk, user=rival)
    return product


@pytest.fixture
def rows(product, seller, bidder):
    """One row at least of every model."""
    sold = factories.product(seller, name="Sold")
    acts.bid(sold, bidder, "9")
    closing.close_auction(product_id=sold.pk, actor=seller)
    otp.request_code(email="new@example.com", ip=None)
    tokens.sign_in(user=bidder, user_agent="tests", ip=None)
    write_notices()
    acts.bid(product, bidder, most="8765.43")
    EventOutbox.objects.create(product_id=product.pk, seq=1)
    order = Order.objects.get()
    Payment.objects.create(order=order, amount=order.total, currency="USD")
    StripeEvent.objects.create(id="evt_1", type="a", payload={})
    Group.objects.create(name="Clerks")
    return {model: model.objects.first() for model in MODELS}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_every_page_opens(operator, rows, model):
    assert rows[model], "the test made no such row"
    assert operator.get(page(model)).status_code == 200
    assert operator.get(page(model), {"q": "thing"}).status_code == 200
    assert operator.get(page(model, "change", rows[model].pk)).status_code == 200
    may_add = admin.site._registry[model].has_add_permission(operator.get("/admin/").wsgi_request)
    assert operator.get(page(model, "add")).status_code == (200 if may_add else 403)


def test_the_index_names_every_model(operator, rows):
    text = operator.get("/admin/").content.decode()
    for model in MODELS:
        assert page(model) in text


@pytest.mark.parametrize("model", [Product, Auction, Bid, AuctionEvent, EventOutbox, Watch, Category])
def test_a_list_costs_the_same_with_more_rows(operator, product, bidder, rival, model):
    def queries():
        with CaptureQueriesContext(connection) as made:
            assert operator.get(page(model)).status_code == 200
        return len(made)

    queries()  # Django remembers the content types from here on
    few = queries()
    for number in range(8):
        person, category = factories.user(f"{number}@example.com"), factories.category(f"C{number}")
        another = factories.product(person, category_id=category.pk)
        acts.bid(another, (bidder, rival)[number % 2], "5")
        listing.watch(product_id=another.pk, user=person)
    assert queries() == few


@pytest.mark.parametrize("model", [Auction, Bid, AuctionEvent, EventOutbox, Watch])
def test_what_services_write_is_not_added_changed_or_deleted(operator, rows, model):
    pk, before = rows[model].pk, list(model.objects.order_by("pk").values())
    assert operator.get(page(model, "add")).status_code == 403
    assert operator.post(page(model, "change", pk), {"price": "1", "status": "sold"}).status_code == 403
    assert operator.post(page(model, "delete", pk), {"post": "yes"}).status_code == 403
    operator.post(page(model), {"action": "delete_selected", "_selected_action": [pk], "post": "yes"})
    assert list(model.objects.order_by("pk").values()) == before
    shown = operator.get(page(model, "change", pk)).content.decode()
    assert 'name="_save"' not in shown


@pytest.mark.parametrize("model", [Product, Auction, Bid, AuctionEvent, Watch])
def test_markup_in_a_name_is_escaped(operator, product, model):
    for address in (page(model), page(model, "change", model.objects.first().pk)):
        text = operator.get(address).content.decode()
        assert NAME not in text
        assert "&lt;script&gt;alert" in text


def test_the_text_of_a_product_is_corrected_and_its_money_is_not(operator, client, seller):
    product = factories.product(seller)
    other = factories.category("Other")
    form = {
        "name": "A lamp",
        "description": "Bright.",
        "category": other.pk,
        "starting_bid": "0.01",
        "shown_reserve": "0",
        "currency": "EUR",
        "seller": "1",
        "reserve_price": "1",
    }
    before = Product.objects.values().get()
    assert operator.post(page(Product, "change", product.pk), form).status_code == 302
    assert Product.objects.values().get() == {
        **before,
        "name": "A lamp",
        "description": "Bright.",
        "category_id": other.pk,
    }
    event = AuctionEvent.objects.latest("seq")
    assert (event.kind, event.data) == ("edited", {"fields": ["category", "description", "name"]})
    assert (event.seq, EventOutbox.objects.latest("pk").seq) == (Auction.objects.get().seq, event.seq)
    assert client.get(f"/api/products/{product.pk}/events/").json()["count"] == event.seq


def test_saving_without_a_change_is_no_event(operator, seller):
    product = factories.product(seller, name="Lamp")
    form = {"name": "Lamp", "description": "", "category": product.category_id}
    assert operator.post(page(Product, "change", product.pk), form).status_code == 302
    assert not AuctionEvent.objects.exists()


def test_with_bids_the_text_stands(operator, product):
    before = (Product.objects.values().get(), Auction.objects.values().get())
    form = {"name": "Another", "description": "Other.", "category": factories.category("Other").pk}
    operator.post(page(Product, "change", product.pk), form)
    assert (Product.objects.values().get(), Auction.objects.values().get()) == before


def test_the_worker_passes_over_an_edit(operator, product):
    write_notices()
    listing.correct_text(product=product, fields=["name"], editor_id=1)
    write_notices()
    assert not EventOutbox.objects.exists()


def test_a_product_is_deleted_only_while_nobody_has_bid(operator, product, seller, bidder):
    fresh = factories.product(seller)
    listing.watch(product_id=fresh.pk, user=bidder)
    assert operator.post(page(Product, "delete", product.pk), {"post": "yes"}).status_code == 403
    assert operator.post(page(Product, "delete", fresh.pk), {"post": "yes"}).status_code == 302
    both = {"action": "delete_selected", "_selected_action": [product.pk], "post": "yes"}
    operator.post(page(Product), both)
    assert list(Product.objects.all()) == [product]
    assert Auction.objects.count() == 1


def test_a_hidden_maximum_and_a_reserve_are_for_superusers_only(operator, clerk, product, bidder):
    acts.bid(product, bidder, most="9876.54")
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


def test_close_now(operator, clerk, seller, bidder):
    product, closed = factories.product(seller), factories.product(seller)
    acts.bid(product, bidder, "9")
    closing.close_auction(product_id=closed.pk, actor=seller)
    form = {"action": "close_now", "_selected_action": [product.pk, closed.pk]}
    answer = clerk.post(page(Auction), form, follow=True)
    text = answer.content.decode()
    assert f"Product {product.pk}: sold." in text
    assert f"Product {closed.pk}: This auction is closed already." in text
    assert (Auction.objects.get(pk=product.pk).status, Order.objects.count()) == ("sold", 1)


def test_who_may_only_look_may_not_close(seller):
    product, client = factories.product(seller), signed_in()
    user = client.get("/admin/").wsgi_request.user
    user.user_permissions.set(Permission.objects.filter(codename="view_auction"))
    assert client.get(page(Auction)).status_code == 200
    client.post(page(Auction), {"action": "close_now", "_selected_action": [product.pk]})
    assert Auction.objects.get().status == "open"


def test_categories_are_edited_without_making_a_ring(operator):
    top = factories.category("Top")
    below = factories.category("Below", parent=top)
    answer = operator.post(page(Category, "change", top.pk), {"name": "Top", "slug": "top", "parent": below.pk})
    assert answer.status_code == 200
    assert "A category cannot stand below itself." in answer.content.decode()
    added = operator.post(page(Category, "add"), {"name": "New", "slug": "new", "parent": below.pk})
    assert (added.status_code, Category.objects.get(slug="new").parent) == (302, below)
    renamed = operator.post(page(Category, "change", top.pk), {"name": "First", "slug": "top", "parent": ""})
    assert (renamed.status_code, Category.objects.get(pk=top.pk).name) == (302, "First")


def test_a_category_in_use_is_not_deleted(operator, product):
    url = page(Category, "delete", product.category_id)
    assert operator.post(url, {"post": "yes"}).status_code == 200
    assert Category.objects.filter(pk=product.category_id).exists()


def test_filters_of_the_lists(operator, rows):
    since = clock.now() - timedelta(days=1)
    for address, query in (
        (page(Product), {"currency": "USD", "auction__status": "open"}),
        (page(Product), {"created_at__year": since.year}),
        (page(Auction), {"status": "sold", "settled_at__isempty": "1"}),
        (page(Bid), {"outcome": "automatic"}),
        (page(AuctionEvent), {"kind": "closed", "q": "1"}),
        (page(Auction), {"q": "bidder@example.com"}),
    ):
        assert operator.get(address, query).status_code == 200
    assert "Sold" in operator.get(page(Auction), {"status": "sold"}).content.decode()


def test_strangers_are_sent_to_sign_in(bidder):
    client = Client()
    client.force_login(bidder)
    for who in (client, Client()):
        answer = who.get(page(Bid))
        assert (answer.status_code, answer["Location"].split("?")[0]) == (302, "/admin/login/")
