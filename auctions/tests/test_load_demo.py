"""`manage.py load_demo`."""

from collections import Counter
from datetime import timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.apps import apps
from django.conf import settings as django_settings
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from PIL import Image

from accounts.models import User
from auctioncraft.core import clock
from auctions.demo import content, loader
from auctions.formats import ascending
from auctions.formats.base import BidRequest, Outcome, State, reserve_met
from auctions.models import Auction, AuctionEvent, Bid, Category, Product, ProductImage
from auctions.services import closing, sale_outcome

pytestmark = pytest.mark.django_db

ENDING_SOON = [item.name for item in content.ENDING_SOON]


@pytest.fixture(autouse=True)
def debug_settings(settings, tmp_path):
    settings.DEBUG = True
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def few_products(monkeypatch):
    """Load 11 products instead of 51."""
    monkeypatch.setattr(content, "PRODUCTS", content.PRODUCTS[:4])


def load_demo():
    out = StringIO()
    call_command("load_demo", stdout=out)
    return out.getvalue().splitlines()


def count_rows():
    return {model._meta.label: model._default_manager.count() for model in apps.get_models()}


def added_rows(before):
    return {label: count - before[label] for label, count in count_rows().items() if count != before[label]}


def unpaid_product(lines):
    return int(lines[-1].removeprefix("Won and unpaid: product ").removesuffix(", by buyer@example.com"))


def close_ending_soon(names=ENDING_SOON):
    for product_id in Auction.objects.filter(status="open", product__name__in=names).values_list("pk", flat=True):
        closing.close_auction(product_id=product_id, actor=User.objects.get(email=content.STAFF))


def test_load_demo_without_debug_is_refused(settings):
    settings.DEBUG = False
    before = count_rows()
    with pytest.raises(CommandError, match="It needs DEBUG=on"):
        load_demo()
    assert count_rows() == before


def test_load_demo_lists_products_of_every_kind_and_reports_the_accounts():
    lines = load_demo()
    assert lines == [
        "Demo data: 51 products added.",
        "Staff: staff@example.com",
        "Buyer: buyer@example.com",
        "Sellers: seller@example.com, seller2@example.com, seller3@example.com, seller4@example.com",
        "Bidders: bidder1@example.com to bidder8@example.com",
        "Password of all accounts: auctioncraft-demo",
        f"Won and unpaid: product {Auction.objects.get(status='sold').pk}, by buyer@example.com",
    ]
    assert Bid.objects.exclude(max_amount=None).count() > 50
    now = clock.now()
    products = Product.objects.all()
    currencies = Counter(products.values_list("currency", flat=True))
    assert set(currencies) == {"USD", "EUR", "GBP", "JPY", "KWD"}
    assert currencies.most_common(1)[0][0] == "USD"
    assert Category.objects.count() == 14
    assert products.with_status("scheduled").count() == 5
    assert products.with_status("open").count() == 45
    assert products.exclude(bid_increment=None).exists()
    assert products.exclude(buy_now_price=None).exists()
    reserved = products.exclude(reserve_price=None).filter(auction__bid_count__gt=0)
    assert {reserve_met(product.reserve_price, product.auction.price) for product in reserved} == {
        True,
        False,
    }
    ends = Auction.objects.filter(product__name__in=ENDING_SOON).values_list("ends_at", flat=True)
    assert len(ends) == 6
    assert all(now + timedelta(minutes=2) < end < now + timedelta(minutes=10) for end in ends)
    for path in products.values_list("thumbnail", flat=True):
        with default_storage.open(path) as file, Image.open(file) as image:
            assert (image.format, image.size) == ("JPEG", (400, 300))
    assert list(ProductImage.objects.values_list("width", "height").distinct().order_by()) == [(640, 480)]


@pytest.mark.usefixtures("few_products")
def test_load_demo_again_adds_nothing():
    first = load_demo()
    before, files = count_rows(), default_storage.listdir("products")
    assert load_demo() == ["Demo data: nothing to add.", *first[1:]]
    assert added_rows(before) == {}
    assert default_storage.listdir("products") == files


@pytest.mark.usefixtures("few_products")
def test_load_demo_after_an_interruption_adds_the_rest():
    seen = []

    def interrupt(name):
        seen.append(name)
        if len(seen) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        loader.load(on_progress=interrupt)
    assert Product.objects.count() == 2
    assert loader.load(on_progress=seen.append).added == 11 - 2
    assert set(Counter(Product.objects.values_list("name", flat=True)).values()) == {1}
    assert len(seen) == 3 + 11


@pytest.mark.usefixtures("few_products")
def test_demo_accounts_share_the_password_and_are_verified():
    load_demo()
    emails = [content.STAFF, content.BUYER, *content.SELLERS, *content.BIDDERS]
    users = User.objects.filter(email__in=emails)
    assert users.count() == 14
    assert all(user.check_password("auctioncraft-demo") and user.email_verified_at for user in users)
    assert [user.email for user in users if user.is_superuser and user.is_staff] == [content.STAFF]


@pytest.mark.usefixtures("few_products")
def test_existing_account_is_not_changed():
    User.objects.create_user(content.BUYER, "my own password", display_name="Me")
    load_demo()
    buyer = User.objects.get(email=content.BUYER)
    assert buyer.check_password("my own password")
    assert buyer.display_name == "Me"


@pytest.mark.usefixtures("few_products")
def test_prices_follow_from_the_bids():
    load_demo()
    for auction in Auction.objects.select_related("product"):
        terms = auction.product.terms()
        state = State(auction.starts_at, auction.ends_at, auction.hard_ends_at)
        expected = []
        for bid in auction.product.bids.exclude(outcome=Outcome.AUTOMATIC).order_by("version"):
            request = BidRequest(bid.bidder_id, bid.amount, bid.max_amount)
            decision = ascending.evaluate_bid(terms, state, request, bid.placed_at)
            state = decision.state
            expected += [(row.bidder, row.displayed_amount, row.outcome) for row in decision.rows]
        assert (auction.price, auction.leader_id, auction.leader_max, auction.bid_count, auction.ends_at) == (
            state.price, state.leader, state.leader_max, state.bid_count, state.ends_at,
        )  # fmt: skip
        stored = auction.product.bids.order_by("version", "position").values_list(
            "bidder_id", "displayed_amount", "outcome"
        )
        assert list(stored) == expected
        seqs = AuctionEvent.objects.filter(product=auction.product).order_by("seq").values_list("seq", flat=True)
        assert list(seqs) == list(range(1, auction.seq + 1))


@pytest.mark.usefixtures("few_products")
def test_product_listed_again_gets_the_same_bids():
    load_demo()
    prices = dict(Product.objects.values_list("name", "auction__price"))
    close_ending_soon()
    load_demo()
    again = Product.objects.filter(name__in=ENDING_SOON, auction__status="open")
    assert dict(again.values_list("name", "auction__price")) == {name: prices[name] for name in ENDING_SOON}


@pytest.mark.usefixtures("few_products")
def test_buyer_has_an_unpaid_order(as_user):
    product_id = unpaid_product(load_demo())
    orders = as_user(User.objects.get(email=content.BUYER)).get("/api/payments/orders/").json()["results"]
    auction = Auction.objects.get(pk=product_id)
    assert [(order["product"]["id"], order["status"], Decimal(order["total"])) for order in orders] == [
        (product_id, "awaiting_payment", auction.hammer_price + Decimal("12.50"))
    ]


@pytest.mark.usefixtures("few_products")
def test_load_demo_after_payment_adds_another_unpaid_order():
    first = unpaid_product(load_demo())
    sale_outcome.record_payment(product_id=first, at=clock.now())
    before = count_rows()
    lines = load_demo()
    assert lines[0] == "Demo data: 1 products added."
    assert unpaid_product(lines) != first
    assert added_rows(before)["payments.Order"] == 1
    assert unpaid_product(load_demo()) == unpaid_product(lines)


@pytest.mark.usefixtures("few_products")
def test_ending_soon_is_listed_again_when_all_have_ended():
    load_demo()
    close_ending_soon(ENDING_SOON[1:])
    before = count_rows()
    load_demo()
    assert added_rows(before) == {}
    close_ending_soon()
    assert load_demo()[0] == "Demo data: 6 products added."
    assert Product.objects.filter(name__in=ENDING_SOON).with_status("open").count() == 6
    assert len(default_storage.listdir("products")[1]) == 2 * (11 + 6)


@pytest.mark.usefixtures("few_products")
def test_suspended_account_does_not_bid():
    sale_outcome.record_payment(product_id=unpaid_product(load_demo()), at=clock.now())
    close_ending_soon()
    User.objects.filter(email__in=[content.BUYER, "bidder1@example.com"]).update(
        strikes=django_settings.STRIKES_BEFORE_BAN
    )
    before = Bid.objects.filter(bidder__email="bidder1@example.com").count()
    lines = load_demo()
    assert lines[0] == "Demo data: 6 products added."
    assert lines[-1] == "Won and unpaid: none, the buyer is suspended or needs a card"
    assert Bid.objects.filter(bidder__email="bidder1@example.com").count() == before


@pytest.mark.usefixtures("few_products")
def test_bids_stay_below_the_amount_that_needs_a_card(settings):
    settings.CARD_REQUIRED_ABOVE = {"USD": Decimal(60)}
    assert load_demo()[-1] == "Won and unpaid: none, the buyer is suspended or needs a card"
    assert Bid.objects.filter(product__currency="USD").exists()
    assert not Bid.objects.filter(product__currency="USD", displayed_amount__gt=60).exists()


@pytest.mark.usefixtures("few_products")
def test_missing_image_file_is_drawn_again():
    load_demo()
    before = count_rows()
    product = Product.objects.first()
    default_storage.delete(product.thumbnail.name)
    assert load_demo()[0] == "Demo data: nothing to add."
    product.refresh_from_db()
    assert default_storage.exists(product.thumbnail.name)
    assert added_rows(before) == {}


@pytest.mark.usefixtures("few_products")
def test_removed_image_is_not_added_again():
    load_demo()
    product = Product.objects.first()
    product.images.all().delete()
    Product.objects.filter(pk=product.pk).update(thumbnail="")
    load_demo()
    assert not product.images.exists()
