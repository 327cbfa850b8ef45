"""The admin of payments is read-only."""

from __future__ import annotations

import pytest

from auctioncraft.core import clock
from payments.models import (
    Customer,
    Dispute,
    OrderEvent,
    Payment,
    Payout,
    Reconciliation,
    Refund,
    SavedCard,
    SellerAccount,
    StripeEvent,
)
from tests import factories

pytestmark = pytest.mark.django_db

PAGES = (
    *("order", "payment", "refund", "dispute", "stripeevent", "reconciliation"),
    *("payout", "selleraccount", "customer", "savedcard"),
)


@pytest.fixture
def admin(client, settings):
    """A superuser."""
    client.force_login(factories.user("admin@example.com", is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def rows(order):
    """One row of each model."""
    payment = Payment.objects.create(order=order, amount=order.total, currency="USD")
    return {
        "order": order,
        "payment": payment,
        "refund": Refund.objects.create(payment=payment, amount=1, currency="USD"),
        "dispute": Dispute.objects.create(
            payment=payment, stripe_dispute_id="dp_1", amount=1, currency="USD", opened_at=clock.now()
        ),
        "stripeevent": StripeEvent.objects.create(id="evt_1", type="a", payload={}),
        "reconciliation": Reconciliation.objects.create(since=clock.now()),
        "payout": Payout.objects.create(
            order=order, seller=order.seller, currency="USD", gross=order.total, fee=0, amount=order.total,
            route="manual", status="due",
        ),
        "selleraccount": SellerAccount.objects.create(user=order.seller, stripe_account_id="acct_1"),
        "customer": Customer.objects.create(user=order.buyer, stripe_customer_id="cus_1"),
        "savedcard": SavedCard.objects.create(
            user=order.buyer, stripe_payment_method_id="pm_1", brand="visa", last4="4242", exp_month=1, exp_year=2040
        ),
    }  # fmt: skip


FILTERS = {
    "order": ("?status=paid",),
    "payment": ("?status=surplus", "?method=cash"),
    "payout": ("?status=held",),
    "stripeevent": ("?attention=flagged", "?attention=waiting", "?attention=failed"),
    "reconciliation": ("?outcome=differs",),
}


@pytest.mark.parametrize("page", PAGES)
def test_admin_lists_filter_search_and_paginate(admin, rows, page):
    url = f"/admin/payments/{page}/"
    for query in ("", "?q=1", "?q=evt", *FILTERS.get(page, ())):
        assert admin.get(url + query, follow=True).status_code == 200
    assert admin.get(f"{url}{rows[page].pk}/change/").status_code == 200


@pytest.mark.parametrize("page", PAGES)
def test_admin_pages_allow_no_add_change_or_delete(admin, rows, page):
    url = f"/admin/payments/{page}/"
    pk = rows[page].pk
    assert admin.get(f"{url}add/").status_code == 403
    assert admin.post(f"{url}{pk}/change/", {"status": "paid"}).status_code == 403
    assert admin.post(f"{url}{pk}/delete/", {"post": "yes"}).status_code == 403


def test_admin_order_page_with_longer_history_takes_the_same_queries(admin, order, django_assert_max_num_queries):
    page = f"/admin/payments/order/{order.pk}/change/"
    admin.get(page)
    with django_assert_max_num_queries(30) as few:
        admin.get(page)
    actors = [factories.user(f"actor{number}@example.com", is_staff=True) for number in range(3)]
    for actor in actors:
        OrderEvent.objects.create(
            order=order, kind="refunded", status="paid", role="staff", actor=actor, at=clock.now()
        )  # fmt: skip
    with django_assert_max_num_queries(len(few)):
        shown = admin.get(page).content.decode()
    assert all(str(actor) in shown for actor in actors)


def test_admin_order_page_shows_amounts_with_the_currency_and_the_job_last(admin, rows):
    shown = admin.get(f"/admin/payments/order/{rows['order'].pk}/change/").content.decode()
    assert "19.99 USD" in shown
    assert "19.990" not in shown
    assert shown.index(">Due at<") < shown.index("collapse") < shown.index(">Next attempt at<")


def test_admin_payment_received_in_another_currency_is_shown_in_it(admin, rows):
    Payment.objects.update(status="surplus", received="500", received_currency="JPY", succeeded_at=clock.now())
    assert "500 JPY" in admin.get("/admin/payments/payment/").content.decode()
