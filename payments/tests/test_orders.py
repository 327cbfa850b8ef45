"""GET /api/payments/orders/ and /{id}/."""

from __future__ import annotations

from unittest.mock import ANY

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from payments.models import Order
from payments.tests.conftest import request_intent, sell

pytestmark = pytest.mark.django_db

URL = "/api/payments/orders/"


OPENED = [{"kind": "opened", "status": "awaiting_payment", "role": "system", "data": {}, "at": ANY}]


def expected(order, role, body):
    return {
        "id": order.pk,
        "product": {"id": order.product_id, "name": order.product.name},
        "buyer": {"id": order.buyer_id, "display_name": order.buyer.display_name},
        "seller": {"id": order.seller_id, "display_name": order.seller.display_name},
        "role": role,
        "hammer_price": "19.99",
        "buyers_premium": "0.00",
        "shipping": "0.00",
        "total": "19.99",
        "refunded": "0.00",
        "currency": "USD",
        "status": "awaiting_payment",
        "payable_by_card": True,
        "due_at": order.due_at.isoformat().replace("+00:00", "Z"),
        "paid_at": None,
        "created_at": order.created_at.isoformat().replace("+00:00", "Z"),
        "server_time": body["server_time"],
    }


@pytest.mark.parametrize(("who", "role"), [("bidder", "buyer"), ("seller", "seller"), ("staff", None)])
def test_order_for_buyer_seller_and_staff_has_all_fields(request, as_user, order, who, role):
    caller = as_user(request.getfixturevalue(who))
    one = caller.get(f"{URL}{order.pk}/")
    money = {"recorded_payment": None, "refunds": [], "surplus": None if role else [], "disputes": None if role else []}
    assert (one.status_code, one.json()) == (200, expected(order, role, one.json()) | {"history": OPENED, **money})
    page = caller.get(URL).json()
    assert page == {
        "count": 1,
        "next": None,
        "previous": None,
        "results": [expected(order, role, page["results"][0])],
    }


def test_order_history_shows_roles_and_no_names(double, winner, order):
    request_intent(winner, order.product)
    answer = winner.get(f"{URL}{order.pk}/").json()["history"]
    assert [(row["kind"], row["role"], list(row)) for row in answer] == [
        ("opened", "system", ["kind", "status", "role", "data", "at"]),
        ("payment_started", "buyer", ["kind", "status", "role", "data", "at"]),
    ]


def test_order_with_unchargeable_amount_is_not_payable_by_card(winner, seller, bidder, settings):
    settings.OFFLINE_PAYMENTS = True
    order = Order.objects.get(product=sell(seller, bidder, "0.10", starting_bid="0.05"))
    assert winner.get(f"{URL}{order.pk}/").json()["payable_by_card"] is False


def test_order_of_others_is_404_and_not_listed(as_user, rival, order):
    answer = as_user(rival).get(f"{URL}{order.pk}/")
    assert (answer.status_code, answer.json()) == (404, {"code": "not_found", "detail": "Not found."})
    assert as_user(rival).get(URL).json()["results"] == []


def test_order_without_token_is_401(client, order):
    assert (client.get(URL).status_code, client.get(f"{URL}{order.pk}/").status_code) == (401, 401)


def test_order_shows_no_email(as_user, seller, bidder, order):
    text = as_user(seller).get(URL).content + as_user(bidder).get(URL).content
    assert b"@" not in text


@pytest.mark.parametrize("pk", ["abc", "0", "1e30", "9" * 18, "9" * 40, "-1", "1.0", "%00"])
def test_order_with_invalid_id_is_404(winner, pk):
    answer = winner.get(f"{URL}{pk}/")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_order_list_filters_by_status(winner, seller, bidder, order):
    paid = Order.objects.get(product=sell(seller, bidder))
    Order.objects.filter(pk=paid.pk).update(status="paid", paid_at=paid.created_at)
    ids = [row["id"] for row in winner.get(URL, {"status": "paid"}).json()["results"]]
    assert ids == [paid.pk]
    assert [row["id"] for row in winner.get(URL).json()["results"]] == [paid.pk, order.pk]


def test_order_list_with_empty_status_is_not_filtered(winner, order):
    assert winner.get(URL, {"status": ""}).json()["count"] == 1


@pytest.mark.parametrize("status", ["nothing", "' OR 1=1 --"])
def test_order_list_with_invalid_status_is_400(winner, order, status):
    answer = winner.get(URL, {"status": status})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["status"])


def test_order_is_read_only(winner, order):
    for method in ("post", "put", "patch", "delete"):
        assert getattr(winner, method)(URL, {"status": "paid"}).status_code == 405
        assert getattr(winner, method)(f"{URL}{order.pk}/", {"status": "paid"}).status_code == 405


def test_order_list_with_one_or_many_takes_the_same_queries(winner, seller, bidder, order):
    def queries():
        with CaptureQueriesContext(
            connection,
        ) as seen:
            winner.get(URL)
        return len(seen)

    one = queries()
    for _ in range(5):
        sell(seller, bidder)
    assert queries() == one
