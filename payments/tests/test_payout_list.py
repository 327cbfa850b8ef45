"""GET /api/payments/payouts/."""

from __future__ import annotations

import pytest

from payments.models import Order
from payments.tests.conftest import sell
from payments.tests.payout_helpers import pay
from tests import factories

pytestmark = pytest.mark.django_db


def test_payout_list_shows_sellers_their_own_and_staff_all(order, seller, bidder, staff, as_user):
    payout = pay(order)
    another = sell(factories.user("other@example.com"), bidder)
    pay(Order.objects.get(product=another))
    answer = as_user(seller).get("/api/payments/payouts/").json()
    assert answer["count"] == 1
    assert answer["results"][0] == {
        "id": payout.pk,
        "order": order.pk,
        "product": {"id": order.product_id, "name": order.product.name},
        "seller": {"id": seller.pk, "display_name": seller.display_name},
        "currency": "USD",
        "gross": "19.99",
        "fee": "0.00",
        "amount": "19.99",
        "reversed": "0.00",
        "sent": "0.00",
        "due": "19.99",
        "route": "manual",
        "status": "due",
        "blocked_by": "",
        "created_at": answer["results"][0]["created_at"],
        "paid_at": None,
    }
    assert as_user(bidder).get("/api/payments/payouts/").json()["results"] == []
    assert as_user(staff).get("/api/payments/payouts/").json()["count"] == 2


def test_payout_list_filters_by_status(order, seller, as_user):
    pay(order)
    caller = as_user(seller)
    assert caller.get("/api/payments/payouts/?status=due").json()["count"] == 1
    assert caller.get("/api/payments/payouts/?status=paid").json()["count"] == 0
    refused = caller.get("/api/payments/payouts/?status=gone")
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid")


def test_payout_list_without_token_is_401(client):
    assert client.get("/api/payments/payouts/").status_code == 401


def test_payout_list_with_more_rows_takes_the_same_queries(
    order, seller, bidder, as_user, django_assert_max_num_queries
):
    pay(order)
    caller = as_user(seller)
    with django_assert_max_num_queries(10) as few:
        caller.get("/api/payments/payouts/")
    for _ in range(3):
        pay(Order.objects.get(product=sell(seller, bidder)))
    with django_assert_max_num_queries(len(few)):
        assert len(caller.get("/api/payments/payouts/").json()["results"]) == 4
