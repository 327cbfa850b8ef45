"""Accounts and orders in the admin."""

import pytest
from django.contrib.admin.models import LogEntry

from accounts.models import User
from accounts.services import bidder_status
from auctioncraft.core import clock
from auctions.services import closing
from auctions.tests import auction_helpers
from payments.models import Order
from payments.services import expiry
from tests import admin_pages, factories
from tests.admin_pages import ESCAPED, MARKUP, act, page

pytestmark = pytest.mark.django_db


@pytest.fixture
def suspended(bidder):
    for _ in range(3):
        bidder_status.add_strike(user_id=bidder.pk)
    return bidder


def test_admin_lift_strikes_allows_bids_and_is_recorded(seller, rival, suspended):
    client, product = admin_pages.clerk("view_user", "change_user"), factories.product(seller)
    text = act(client, User, "clear_strikes", [suspended, rival]).content.decode()
    assert "bidder@example.com: strikes cleared (3)." in text
    assert "rival@example.com:" not in text
    assert not User.objects.filter(strikes__gt=0).exists()
    auction_helpers.bid(product, suspended, "5")
    entry = LogEntry.objects.get()
    assert (entry.user, entry.get_edited_object()) == (admin_pages.user(client), suspended)
    assert entry.get_change_message() == "Strikes cleared: 3."
    history = client.get(page(User, "history", suspended.pk)).content.decode()
    assert "Strikes cleared: 3." in history


def test_admin_message_escapes_markup_in_an_address():
    person = factories.user(f"{MARKUP}@example.com", strikes=1, display_name=MARKUP)
    text = act(admin_pages.operator(), User, "clear_strikes", [person]).content.decode()
    assert f"{ESCAPED}" in text
    assert MARKUP not in text


@pytest.mark.parametrize("action", ["clear_strikes", "disable", "sign_out"])
def test_admin_users_with_view_permission_has_no_actions(suspended, as_user, action):
    client, device = admin_pages.clerk("view_user"), as_user(suspended)
    assert f'value="{action}"' not in client.get(page(User)).content.decode()
    act(client, User, action, [suspended])
    assert User.objects.get(pk=suspended.pk).strikes == 3
    assert device.get("/api/users/me/").status_code == 200
    assert not LogEntry.objects.exists()


def test_admin_user_strikes_are_read_only(suspended):
    form = {"email": suspended.email, "display_name": "Mike", "is_active": "on", "seller_state": "none"}
    client = admin_pages.operator()
    assert client.post(page(User, "change", suspended.pk), {**form, "strikes": "0"}).status_code == 302
    saved = User.objects.get(pk=suspended.pk)
    assert (saved.display_name, saved.strikes) == ("Mike", 3)


def test_admin_order_shows_reminders_and_expiry(seller, bidder):
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, "5")
    closing.close_auction(product_id=product.pk, actor=seller)
    Order.objects.update(due_at=clock.now(), reminders_sent=2)
    expiry.expire_due()
    client = admin_pages.operator()
    listed = client.get(page(Order)).content.decode()
    assert "Reminders" in listed
    assert "Expired at" in listed
    shown = client.get(page(Order, "change", Order.objects.get().pk)).content.decode()
    assert "How many times its buyer was reminded to pay." in shown
    assert "Expired at" in shown
