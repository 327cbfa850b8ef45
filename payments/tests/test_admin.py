"""The admin of money: to look at, not to touch."""

from __future__ import annotations

import pytest

from auctioncraft import clock
from auctioncraft.tests import factories
from payments.models import Dispute, Payment, Refund, StripeEvent

pytestmark = pytest.mark.django_db

PAGES = ("order", "payment", "refund", "dispute", "stripeevent")


@pytest.fixture
def admin(client, settings):
    """Somebody who may do everything."""
    client.force_login(factories.user("admin@example.com", is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def rows(order):
    """One of each."""
    payment = Payment.objects.create(order=order, amount=order.total, currency="USD")
    return {
        "order": order,
        "payment": payment,
        "refund": Refund.objects.create(payment=payment, amount=1, currency="USD"),
        "dispute": Dispute.objects.create(
            payment=payment, dispute_id="dp_1", amount=1, currency="USD", opened_at=clock.now()
        ),
        "stripeevent": StripeEvent.objects.create(id="evt_1", type="a", payload={}),
    }


@pytest.mark.parametrize("page", PAGES)
def test_lists_filters_search_and_pages_work(admin, rows, page):
    url = f"/admin/payments/{page}/"
    for query in ("", "?q=1", "?q=evt", "?status=paid", "?attention=flagged", "?attention=waiting"):
        assert admin.get(url + query, follow=True).status_code == 200
    assert admin.get(f"{url}{rows[page].pk}/change/").status_code == 200


@pytest.mark.parametrize("page", PAGES)
def test_nothing_is_added_changed_or_deleted(admin, rows, page):
    url = f"/admin/payments/{page}/"
    pk = rows[page].pk
    assert admin.get(f"{url}add/").status_code == 403
    assert admin.post(f"{url}{pk}/change/", {"status": "paid"}).status_code == 403
    assert admin.post(f"{url}{pk}/delete/", {"post": "yes"}).status_code == 403
