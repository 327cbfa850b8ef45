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
from auctions.models import Auction, AuctionEvent, Bid, Category, Product, ProductImage
from auctions.services import closing, sale_outcome

pytestmark = pytest.mark.django_db

SHORT = [item.name for item in content.ENDING_SOON]


@pytest.fixture(autouse=True)
def development(settings, tmp_path):
    settings.DEBUG = True
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def few(monkeypatch):
    # Loads faster, for what does not depend on the products that run for days.
    monkeypatch.setattr(content, "PRODUCTS", content.PRODUCTS[:4])


def run():
    out = StringIO()
    call_command("load_demo", stdout=out)
    return out.getvalue().splitlines()


def rows():
    return {model._meta.label: model._default_manager.count() for model in apps.get_models()}


def added(before):
    return {label: count - before[label] for label, count in rows().items() if count != before[label]}


def won(lines):
    return int(lines[-1].removeprefix("Won and unpaid: product ").removesuffix(", by buyer@example.com"))


def close_all_short(names=SHORT):
    for product_id in Auction.objects.filter(status="open", product__name__in=names).values_list("pk", flat=True):
        closing.close_auction(product_id=product_id, actor=User.objects.get(email=content.STAFF))


def test_without_debug_it_refuses_and_writes_nothing(settings):
    settings.DEBUG = False
    before = rows()
    with pytest.raises(CommandError, match="DEBUG=on only"):
        run()
    assert rows() == before


def test_what_it_says():
    lines = run()
    assert lines == [
        "Demo data: 51 products added.",
        "Staff: staff@example.com",
        "Buyer: buyer@example.com",
        "Sellers: seller@example.com, seller2@example.com, seller3@example.com, seller4@example.com",
        "Bidders: bidder1@example.com to bidder8@example.com",
        "Password of each: auctioncraft-demo",
        f"Won and unpaid: product {Auction.objects.get(status='sold').pk}, by buyer@example.com",
    ]


def test_a_second_run_adds_nothing():
    first = run()
    before, pictures = rows(), default_storage.listdir("products")
    second = run()
    assert second == ["Demo data: nothing to add.", *first[1:]]
    assert added(before) == {}
    assert default_storage.listdir("products") == pictures


def test_an_interrupted_load_goes_on_where_it_stopped():
    seen = []

    def interrupt(name):
        seen.append(name)
        if len(seen) == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        loader.load(advance=interrupt)
    assert Product.objects.count() == 19
    assert loader.load(advance=seen.append).added == 51 - 19
    assert set(Counter(Product.objects.values_list("name", flat=True)).values()) == {1}
    assert len(seen) == 20 + loader.STEPS


@pytest.mark.usefixtures("few")
def test_everybody_has_the_password_and_is_verified():
    run()
    emails = [content.STAFF, content.BUYER, *content.SELLERS, *content.BIDDERS]
    users = User.objects.filter(email__in=emails)
    assert users.count() == 14
    assert all(user.check_password("auctioncraft-demo") and user.email_verified_at for user in users)
    assert [user.email for user in users if user.is_superuser and user.is_staff] == [content.STAFF]


@pytest.mark.usefixtures("few")
def test_an_account_that_was_there_is_left_alone():
    User.objects.create_user(content.BUYER, "my own password", display_name="Me")
    run()
    buyer = User.objects.get(email=content.BUYER)
    assert buyer.check_password("my own password")
    assert buyer.display_name == "Me"


def test_prices_are_what_the_bids_say():
    run()
    assert Bid.objects.exclude(max_amount=None).count() > 50
    for auction in Auction.objects.select_related("product"):
        terms = auction.product.terms()
        state = ascending.State(auction.starts_at, auction.ends_at, auction.hard_ends_at)
        told = []
        for bid in auction.product.bids.exclude(outcome=ascending.Outcome.AUTOMATIC).order_by("version"):
            offer = ascending.BidRequest(bid.bidder_id, bid.amount, bid.max_amount)
            decision = ascending.evaluate_bid(terms, state, offer, bid.placed_at)
            state = decision.state
            told += [(row.bidder, row.displayed_amount, row.outcome) for row in decision.rows]
        assert (auction.price, auction.leader_id, auction.leader_max, auction.bid_count, auction.ends_at) == (
            state.price, state.leader, state.leader_max, state.bid_count, state.ends_at,
        )  # fmt: skip
        stored = auction.product.bids.order_by("version", "position").values_list(
            "bidder_id", "displayed_amount", "outcome"
        )
        assert list(stored) == told
        seqs = AuctionEvent.objects.filter(product=auction.product).order_by("seq").values_list("seq", flat=True)
        assert list(seqs) == list(range(1, auction.seq + 1))


@pytest.mark.usefixtures("few")
def test_the_same_product_has_the_same_bids_every_time():
    run()
    prices = dict(Product.objects.values_list("name", "auction__price"))
    close_all_short()
    run()
    again = Product.objects.filter(name__in=SHORT, auction__status="open")
    assert dict(again.values_list("name", "auction__price")) == {name: prices[name] for name in SHORT}


def test_what_is_on_sale():
    run()
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
    assert {ascending.reserve_met(product.reserve_price, product.auction.price) for product in reserved} == {
        True,
        False,
    }
    ends = Auction.objects.filter(product__name__in=SHORT).values_list("ends_at", flat=True)
    assert len(ends) == 6
    assert all(now + timedelta(minutes=2) < end < now + timedelta(minutes=10) for end in ends)
    for path in products.values_list("thumbnail", flat=True):
        with default_storage.open(path) as file, Image.open(file) as picture:
            assert (picture.format, picture.size) == ("JPEG", (400, 300))
    assert list(ProductImage.objects.values_list("width", "height").distinct().order_by()) == [(480, 360)]


@pytest.mark.usefixtures("few")
def test_the_buyer_has_an_order_to_pay(as_user):
    product_id = won(run())
    orders = as_user(User.objects.get(email=content.BUYER)).get("/api/payments/orders/").json()["results"]
    auction = Auction.objects.get(pk=product_id)
    assert [(order["product"]["id"], order["status"], Decimal(order["total"])) for order in orders] == [
        (product_id, "awaiting_payment", auction.hammer_price + Decimal("12.50"))
    ]


@pytest.mark.usefixtures("few")
def test_once_paid_there_is_another_one_to_pay():
    first = won(run())
    sale_outcome.record_payment(product_id=first, at=clock.now())
    before = rows()
    lines = run()
    assert lines[0] == "Demo data: 1 products added."
    assert won(lines) != first
    assert added(before)["payments.Order"] == 1
    assert won(run()) == won(lines)


@pytest.mark.usefixtures("few")
def test_short_auctions_come_again_once_all_have_ended():
    run()
    close_all_short(SHORT[1:])
    before = rows()
    run()
    assert added(before) == {}
    close_all_short()
    assert run()[0] == "Demo data: 6 products added."
    assert Product.objects.filter(name__in=SHORT).with_status("open").count() == 6
    assert len(default_storage.listdir("products")[1]) == 2 * (11 + 6)


@pytest.mark.usefixtures("few")
def test_a_suspended_account_is_passed_over():
    sale_outcome.record_payment(product_id=won(run()), at=clock.now())
    close_all_short()
    User.objects.filter(email__in=[content.BUYER, "bidder1@example.com"]).update(
        strikes=django_settings.STRIKES_BEFORE_BAN
    )
    before = Bid.objects.filter(bidder__email="bidder1@example.com").count()
    lines = run()
    assert lines[0] == "Demo data: 6 products added."
    assert lines[-1] == "Won and unpaid: none, the buyer may not bid, or not so much without a card"
    assert Bid.objects.filter(bidder__email="bidder1@example.com").count() == before


@pytest.mark.usefixtures("few")
def test_without_cards_it_stays_below_what_a_card_is_needed_for(settings):
    settings.CARD_REQUIRED_ABOVE = {"USD": Decimal(60)}
    assert run()[-1] == "Won and unpaid: none, the buyer may not bid, or not so much without a card"
    assert Bid.objects.filter(product__currency="USD").exists()
    assert not Bid.objects.filter(product__currency="USD", displayed_amount__gt=60).exists()


@pytest.mark.usefixtures("few")
def test_a_lost_picture_is_drawn_again():
    run()
    before = rows()
    product = Product.objects.first()
    default_storage.delete(product.thumbnail.name)
    assert run()[0] == "Demo data: nothing to add."
    product.refresh_from_db()
    assert default_storage.exists(product.thumbnail.name)
    assert added(before) == {}


@pytest.mark.usefixtures("few")
def test_a_picture_from_before_products_had_their_own_becomes_one():
    run()
    before = rows()
    product = Product.objects.first()
    product.images.all().delete()
    run()
    assert added(before) == {}
    product.refresh_from_db()
    assert product.thumbnail.name == product.images.get().thumbnail.name


@pytest.mark.usefixtures("few")
def test_a_picture_that_was_removed_stays_removed():
    run()
    product = Product.objects.first()
    product.images.all().delete()
    Product.objects.filter(pk=product.pk).update(thumbnail="")
    run()
    assert not product.images.exists()
