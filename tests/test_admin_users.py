"""Accounts and orders in the admin."""

import pytest

from accounts.models import StaffAction, User
from accounts.services import bidder_status
from auctioncraft.core import clock
from auctions.services import closing
from auctions.tests import auction_helpers
from notifications.models import Notification
from payments.models import Order
from payments.services import expiry
from tests import admin_pages, factories
from tests.admin_pages import ESCAPED, MARKUP, confirm, page

pytestmark = pytest.mark.django_db
ACTIONS = ["disable", "enable", "sign_out", "clear_strikes", "change_email", "change_display_name"]


@pytest.fixture
def suspended(bidder):
    for _ in range(3):
        bidder_status.add_strike(user_id=bidder.pk)
    return bidder


def test_admin_lift_strikes_allows_bids_and_is_recorded(seller, rival, suspended):
    client, product = admin_pages.clerk("view_user", "change_user"), factories.product(seller)
    text = confirm(client, User, "clear_strikes", [suspended, rival], reason="Paid by bank transfer.").content.decode()
    assert "bidder@example.com: strikes cleared (3)." in text
    assert "rival@example.com: There is nothing to change in this account." in text
    assert not User.objects.filter(strikes__gt=0).exists()
    auction_helpers.bid(product, suspended, "5")
    action = StaffAction.objects.get()
    assert (action.actor, action.action, action.user, action.reason) == (
        admin_pages.user(client),
        "strikes_cleared",
        suspended,
        "Paid by bank transfer.",
    )
    assert Notification.objects.get(recipient=suspended).title == "Your strikes were cleared"


def test_admin_message_escapes_markup_in_an_address():
    person = factories.user(f"{MARKUP}@example.com", strikes=1, display_name=MARKUP)
    text = confirm(admin_pages.operator(), User, "clear_strikes", [person]).content.decode()
    assert f"{ESCAPED}" in text
    assert MARKUP not in text


@pytest.mark.parametrize("action", ACTIONS)
def test_admin_users_with_view_permission_has_no_actions(suspended, as_user, action):
    client, device = admin_pages.clerk("view_user"), as_user(suspended)
    assert f'value="{action}"' not in client.get(page(User)).content.decode()
    confirm(client, User, action, [suspended], email="new@example.com", display_name="New")
    fresh = User.objects.get(pk=suspended.pk)
    assert (fresh.strikes, fresh.email, fresh.display_name) == (3, "bidder@example.com", suspended.display_name)
    assert device.get("/api/users/me/").status_code == 200
    assert not StaffAction.objects.exists()


def test_admin_user_page_of_superuser_changes_rights_only(suspended):
    form = {"email": "mine@example.com", "display_name": "Mike", "seller_state": "enabled", "strikes": "0"}
    client = admin_pages.operator()
    answer = client.post(page(User, "change", suspended.pk), {**form, "is_staff": "on", "reason": "A new colleague."})
    assert answer.status_code == 302
    saved = User.objects.get(pk=suspended.pk)
    assert (saved.email, saved.display_name, saved.seller_state, saved.strikes, saved.is_active, saved.is_staff) == (
        *(suspended.email, suspended.display_name, "none", 3, True),
        True,
    )
    assert StaffAction.objects.get().reason == "A new colleague."


def test_admin_user_rights_without_a_reason_stay(suspended):
    client = admin_pages.operator()
    answer = client.post(page(User, "change", suspended.pk), {"is_staff": "on", "reason": " "})
    assert "This field is required." in answer.content.decode()
    assert not User.objects.get(pk=suspended.pk).is_staff


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
