"""Admin actions of payouts: mark as paid, download as CSV."""

from __future__ import annotations

import csv
import io
import re

import pytest
from django.db import transaction

from auctioncraft.core import clock
from auctioncraft.core.errors import PermissionDenied
from payments.models import Order, OrderEvent, Payment, Payout
from payments.services import orders, payouts
from tests import admin_pages
from tests.admin_pages import act, page

pytestmark = pytest.mark.django_db


@pytest.fixture
def payout(order):
    """A payout to be paid manually."""
    now = clock.now()
    payment = Payment.objects.create(
        order=order, amount=order.total, currency="USD", status="succeeded", received=order.total,
        received_currency="USD", succeeded_at=now, stripe_intent_id="pi_1",
    )  # fmt: skip
    with transaction.atomic():
        orders.mark_paid(order=Order.objects.locked(order.pk), payment=payment, at=now)
    return Payout.objects.get()


def admin_messages(answer):
    return re.sub(r"\s+", " ", answer.content.decode())


def test_mark_paid_by_staff_is_recorded_once(payout):
    clerk, given = admin_pages.clerk("view_payout", "change_payout"), {"confirmed": "yes", "reason": "Bank, RF18."}
    assert 'name="reason"' in admin_messages(act(clerk, Payout, "mark_paid", [payout]))
    payout.refresh_from_db()
    assert payout.status == "due"
    assert "19.99 USD paid to the seller." in admin_messages(act(clerk, Payout, "mark_paid", [payout], **given))
    payout.refresh_from_db()
    assert (payout.status, payout.paid_by) == ("paid", admin_pages.user(clerk))
    assert "Nothing of this payout is to be paid manually now." in admin_messages(
        act(clerk, Payout, "mark_paid", [payout], **given)
    )
    said = OrderEvent.objects.get(kind="paid_out")
    assert (said.actor, said.data["note"]) == (admin_pages.user(clerk), "Bank, RF18.")


def test_mark_paid_by_the_seller_who_is_staff_is_refused(payout):
    payout.seller.is_staff = True
    payout.seller.save()
    with pytest.raises(PermissionDenied):
        payouts.mark_paid_by_hand(payout_id=payout.pk, actor=payout.seller, note="Bank transfer.")
    payout.refresh_from_db()
    assert payout.status == "due"


def test_mark_paid_without_permission_changes_nothing(payout):
    clerk = admin_pages.clerk("view_payout")
    act(clerk, Payout, "mark_paid", [payout])
    payout.refresh_from_db()
    assert payout.status == "due"


def test_download_returns_the_report_of_the_selected_payouts(payout):
    clerk = admin_pages.clerk("view_payout")
    answer = act(clerk, Payout, "download", [payout])
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="payouts.csv"'
    (row,) = csv.DictReader(io.StringIO(answer.content.decode()))
    assert (row["order"], row["seller_email"], row["due_now"]) == (str(payout.order_id), payout.seller.email, "19.99")


def test_download_without_permission_is_refused(payout):
    clerk = admin_pages.clerk("view_order")
    assert act(clerk, Payout, "download", [payout]).status_code == 403
    assert clerk.get(page(Payout)).status_code == 403


def test_payout_page_is_read_only(payout):
    operator = admin_pages.operator()
    assert operator.get(page(Payout, "add")).status_code == 403
    assert operator.post(page(Payout, "change", payout.pk), {"status": "paid"}).status_code == 403
    assert operator.post(page(Payout, "delete", payout.pk), {"post": "yes"}).status_code == 403
    shown = operator.get(page(Payout, "change", payout.pk)).content.decode()
    assert str(payout.idempotency_key) not in shown
