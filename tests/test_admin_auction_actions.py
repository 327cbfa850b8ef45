"""Actions on auctions and bids in the admin: they call services, row by row, and need a permission."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client

from accounts.models import User
from auctioncraft.core import clock
from auctions.models import Auction, AuctionEvent, Bid, BidVoid, SecondChanceOffer
from auctions.services import closing
from auctions.tests import auction_helpers
from payments.models import Order
from payments.services import expiry
from tests import admin_pages, factories
from tests.admin_pages import ESCAPED, MARKUP, act, confirm, page

pytestmark = pytest.mark.django_db
AUCTION_ACTIONS = ["close_now", "cancel", "extend_by_an_hour", "extend_by_a_day", "offer_second_chance"]
OTHER_PERMISSIONS = ("view_auction", "view_bid", "change_bid", "add_bid", "delete_bid", "add_auction", "delete_auction")


@pytest.fixture
def clerk():
    """Staff with every permission on auctions, and no superuser."""
    return admin_pages.clerk()


@pytest.fixture
def product(seller, bidder, rival):
    """A product with two bidders; the rival leads at 9.00."""
    product = factories.product(seller, name=MARKUP)
    auction_helpers.bid(product, bidder, "5")
    auction_helpers.bid(product, rival, "9")
    return product


@pytest.fixture
def closed(seller):
    """A closed auction."""
    product = factories.product(seller)
    closing.close_auction(product_id=product.pk, actor=seller)
    return product


@pytest.fixture
def unpaid(product, seller):
    """A sale whose winner did not pay."""
    closing.close_auction(product_id=product.pk, actor=seller)
    Order.objects.update(due_at=clock.now())
    assert expiry.expire_due() == 1
    return product


def messages(answer):
    """Return the messages in the HTML of a page."""
    assert answer.status_code == 200
    return answer.content.decode()


def auction_of(product):
    return Auction.objects.get(pk=product.pk)


def test_action_close_now_closes_open_auctions_only(clerk, product, closed):
    text = messages(confirm(clerk, Auction, "close_now", [product, closed]))
    assert f"Product {product.pk}: sold." in text
    assert f"Product {closed.pk}: This auction is already closed." in text
    assert (auction_of(product).status, Order.objects.count()) == ("sold", 1)
    assert AuctionEvent.objects.get(product=product, kind="closed").data["by"] == "staff"


def test_action_cancel_cancels_open_auctions_only(clerk, product, closed):
    text = messages(confirm(clerk, Auction, "cancel", [product, closed]))
    assert f"Product {product.pk}: cancelled." in text
    assert f"Product {closed.pk}: This auction is already closed." in text
    assert (auction_of(product).status, Order.objects.count()) == ("cancelled", 0)
    event = AuctionEvent.objects.get(product=product, kind="cancelled")
    assert (event.data, event.private) == (
        {"by": "staff"},
        {"actor": admin_pages.user(clerk).pk, "reason": "A slip."},
    )


@pytest.mark.parametrize(
    ("action", "by"), [("extend_by_an_hour", timedelta(hours=1)), ("extend_by_a_day", timedelta(days=1))]
)
def test_action_extend_adds_to_the_end(clerk, product, closed, action, by):
    before = auction_of(product)
    text = messages(confirm(clerk, Auction, action, [product, closed]))
    assert f"Product {product.pk}: ends " in text
    assert f"Product {closed.pk}: This auction is already closed." in text
    after = auction_of(product)
    assert (after.ends_at, after.hard_ends_at) == (before.ends_at + by, before.hard_ends_at + by)
    assert AuctionEvent.objects.get(product=product, kind="extended").data["by"] == "staff"


def test_action_extend_after_the_end_adds_to_now(clerk, product):
    auction_helpers.move_end_to_past(product, ago=timedelta(hours=5))
    before = clock.now()
    confirm(clerk, Auction, "extend_by_an_hour", [product])
    assert before + timedelta(hours=1) <= auction_of(product).ends_at <= clock.now() + timedelta(hours=1)


def test_action_extend_too_far_explains_the_refusal(clerk, seller, monkeypatch):
    monkeypatch.setattr(closing, "MAX_EXTENSION", timedelta(hours=2))
    product = factories.product(seller)
    text = messages(confirm(clerk, Auction, "extend_by_a_day", [product]))
    assert f"Product {product.pk}: ends_at: It must be after now" in text
    assert auction_of(product).ends_at == product.auction.ends_at
    assert "ends " in messages(confirm(clerk, Auction, "extend_by_an_hour", [product]))


def test_action_offer_second_chance_offers_to_the_next_bidder(clerk, unpaid, closed, bidder):
    User.objects.filter(pk=bidder.pk).update(display_name=MARKUP)
    answer = confirm(clerk, Auction, "offer_second_chance", [unpaid, closed])
    text = messages(answer)
    assert f"Product {unpaid.pk}: offered to {ESCAPED}" in text
    assert "at 5.00 USD." in text
    assert f"Product {closed.pk}: There is no bidder to offer this product to." in text
    assert MARKUP not in text
    made = SecondChanceOffer.objects.get()
    assert (made.product, made.bidder, made.amount, made.status) == (unpaid, bidder, Decimal(5), "offered")
    assert f"Product {unpaid.pk}: There is no bidder to offer this product to." in messages(
        confirm(clerk, Auction, "offer_second_chance", [unpaid])
    )


@pytest.mark.parametrize("action", AUCTION_ACTIONS)
def test_actions_without_permission_are_missing(product, unpaid, seller, action):
    running, client = factories.product(seller), admin_pages.clerk(*OTHER_PERMISSIONS)
    before = list(Auction.objects.order_by("pk").values())
    assert f'value="{action}"' not in messages(client.get(page(Auction)))
    confirm(client, Auction, action, [running, unpaid])
    assert list(Auction.objects.order_by("pk").values()) == before
    assert not SecondChanceOffer.objects.exists()


def test_actions_follow_single_permissions(product):
    offers = {"close_now": "change_auction", "offer_second_chance": "add_secondchanceoffer"}
    for action, codename in offers.items():
        text = messages(admin_pages.clerk("view_auction", codename).get(page(Auction)))
        assert [name for name in offers if f'value="{name}"' in text] == [action]


def own_bid(product, user):
    return Bid.objects.made_by_people().get(product=product, bidder=user)


def test_action_void_asks_for_a_reason_first(clerk, product, rival):
    answer = act(clerk, Bid, "void", [own_bid(product, rival)], reason="Sent by the list, not by the page.")
    text = messages(answer)
    assert 'name="reason"' in text
    assert "9.00 USD" in text
    assert ESCAPED in text
    assert MARKUP not in text
    assert not BidVoid.objects.exists()


@pytest.mark.parametrize(
    ("reason", "problem"),
    [
        ("", "This field is required."),
        ("  \n ", "This field is required."),
        ("a" * 501, "at most 500 characters"),
        ("a\0b", "Null characters are not allowed."),
    ],
)
def test_action_void_without_a_fit_reason_is_refused(clerk, product, rival, reason, problem):
    text = messages(act(clerk, Bid, "void", [own_bid(product, rival)], confirmed="yes", reason=reason))
    assert problem in text
    assert 'name="reason"' in text
    assert not BidVoid.objects.exists()


def test_action_void_leaves_the_price_of_the_other_bids(clerk, product, bidder, rival):
    bid = own_bid(product, rival)
    before = Bid.objects.values().get(pk=bid.pk)
    text = messages(act(clerk, Bid, "void", [bid], confirmed="yes", reason=f"A slip. {MARKUP}"))
    assert f"Bid {bid.pk}: void. The price of product {product.pk} is now 5.00 USD." in text
    auction = auction_of(product)
    assert (auction.leader, auction.price, auction.bid_count) == (bidder, Decimal(5), 1)
    void = BidVoid.objects.get()
    assert (void.bid, void.reason) == (bid, f"A slip. {MARKUP}")
    assert void.voided_by == admin_pages.user(clerk)
    assert Bid.objects.values().get(pk=bid.pk) == before
    assert AuctionEvent.objects.latest("pk").kind == "bid_voided"


def test_action_void_reports_the_result_of_each_bid(clerk, seller, product, bidder, rival):
    other = factories.product(seller)
    auction_helpers.bid(other, bidder, max_amount="50")
    auction_helpers.bid(other, rival, "20")
    proxy = Bid.objects.get(product=other, outcome="automatic")
    done, spoken, hidden = own_bid(product, rival), own_bid(other, rival), own_bid(other, bidder)
    act(clerk, Bid, "void", [done], confirmed="yes", reason="A slip.")
    ended = factories.product(seller)
    auction_helpers.bid(ended, bidder, "3")
    closing.close_auction(product_id=ended.pk, actor=seller)
    late = own_bid(ended, bidder)
    text = messages(act(clerk, Bid, "void", [done, proxy, spoken, hidden, late], confirmed="yes", reason="A slip."))
    assert f"Bid {done.pk}: This bid is already void." in text
    assert f"Bid {proxy.pk}: A proxy placed this bid. Void the bid that its bidder placed." in text
    assert f"Bid {late.pk}: This auction is already closed." in text
    assert f"Bid {hidden.pk}: void. The price of product {other.pk} is now 20.00 USD." in text
    assert f"Bid {spoken.pk}: void. Product {other.pk} has no bids now." in text
    assert BidVoid.objects.count() == 3


def test_action_void_form_hides_the_maximum(clerk, seller, bidder):
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, max_amount="7654.32")
    text = messages(act(clerk, Bid, "void", [own_bid(product, bidder)]))
    assert "1.00 USD" in text
    assert "7654.32" not in text


def test_action_void_without_permission_is_refused(product, rival):
    client = admin_pages.clerk(*OTHER_PERMISSIONS)
    assert 'value="void"' not in messages(client.get(page(Bid)))
    act(client, Bid, "void", [own_bid(product, rival)], confirmed="yes", reason="A slip.")
    assert not BidVoid.objects.exists()
    assert 'value="void"' in messages(admin_pages.clerk("view_bid", "add_bidvoid").get(page(Bid)))


def test_action_by_get_or_without_csrf_token_changes_nothing(clerk, product, rival):
    bid = own_bid(product, rival)
    form = {"action": "void", "_selected_action": [bid.pk], "confirmed": "yes", "reason": "A slip."}
    assert clerk.get(page(Bid), form, follow=True).status_code == 400
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(admin_pages.user(clerk))
    assert strict.post(page(Bid), form).status_code == 403
    assert strict.post(page(Auction), {"action": "cancel", "_selected_action": [product.pk]}).status_code == 403
    assert not BidVoid.objects.exists()
    assert auction_of(product).status == "open"


def test_action_void_form_carries_a_csrf_token(clerk, product, rival):
    strict, bid = Client(enforce_csrf_checks=True), own_bid(product, rival)
    strict.force_login(admin_pages.user(clerk))

    def send(form_of, field, **fields):
        """Submit the form of the page that has this field, with its own token."""
        form = form_of[: form_of.index(field)].rpartition("<form")[2]
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form).group(1)
        return messages(act(strict, Bid, "void", [bid], csrfmiddlewaretoken=token, **fields))

    asking = send(messages(strict.get(page(Bid))), 'name="_selected_action"')
    assert "is now 5.00 USD." in send(asking, 'name="reason"', confirmed="yes", reason="A slip.")
