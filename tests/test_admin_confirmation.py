"""Every action of the admin that cannot be taken back asks for confirmation and a reason first."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.models import FailedAttempts
from auctioncraft.core import clock
from auctions.services import closing
from auctions.tests import auction_helpers
from payments.models import Order
from tests import admin_pages, factories
from tests.admin_pages import act, page
from tests.db_snapshot import assert_nothing_written

pytestmark = pytest.mark.django_db

# Those that only read or try again.
HARMLESS = {"download", "retry", "reprocess"}


@pytest.fixture
def _rows(as_user, seller, bidder, staff):
    """Make a row of every model that has such actions."""
    sold = factories.product(seller)
    for product in (sold, factories.product(seller)):
        auction_helpers.bid(product, bidder, "5")
    closing.close_auction(product_id=sold.pk, actor=seller)
    received = {
        "amount": "5",
        "currency": "USD",
        "method": "cash",
        "received_on": clock.now().date(),
        "note": "At the desk.",
    }
    path = f"/api/payments/orders/{Order.objects.get().pk}/record_payment/"
    assert as_user(staff).post(path, received).status_code == 201
    Group.objects.create(name="Clerks")
    TOTPDevice.objects.create(user=staff, name="Telephone")
    as_user(bidder).post("/api/auth/token/", {"username": bidder.email, "password": "wrong"})
    assert FailedAttempts.objects.exists()


@pytest.mark.usefixtures("_rows")
def test_admin_actions_that_cannot_be_taken_back_ask_first():
    chief, asked = admin_pages.operator(), []
    request = chief.get("/admin/").wsgi_request
    for model, model_admin in admin.site._registry.items():
        for action in model_admin.get_actions(request).keys() - HARMLESS:
            row = model.objects.order_by("pk")[:1]
            assert row, model
            with assert_nothing_written():
                answer = act(chief, model, action, row, reason="Not by the page.", email="a@example.com")
            assert 'name="reason"' in answer.content.decode(), (model, action)
            assert answer.request["PATH_INFO"] == page(model)
            asked.append(action)
    assert {"close_now", "cancel", "mark_paid", "disable", "clear_strikes", "void", "delete"} <= set(asked)
