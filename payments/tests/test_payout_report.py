"""`manage.py payout_report`: the CSV that staff pay from."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import call_command

from accounts.models import User
from payments.services import payouts
from payments.tests.payout_helpers import claw_back, pay, report

pytestmark = pytest.mark.django_db


def test_report_names_sellers_and_amounts(order, seller):
    payout = claw_back(pay(order), "9.99")
    row = report()[0]
    assert {name: row[name] for name in row if not name.endswith("_at")} == {
        "order": str(order.pk),
        "product": str(order.product_id),
        "name": order.product.name,
        "seller": str(seller.pk),
        "seller_email": seller.email,
        "currency": "USD",
        "gross": "19.99",
        "fee": "0.00",
        "amount": "19.99",
        "reversed": "9.99",
        "paid": "0.00",
        "due_now": "10.00",
        "owed_back": "0.00",
        "route": "manual",
        "status": "due",
        "blocked_by": "",
        "transfer": "",
        "payment": "stripe",
    }
    assert row["opened_at"] == f"{payout.created_at:%Y-%m-%dT%H:%M:%SZ}"
    assert row["paid_at"] == ""


@pytest.mark.parametrize("start", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1+1"])
def test_report_cells_are_not_run_as_formulas(order, start):
    pay(order)
    type(order.product).objects.update(name=start)
    User.objects.filter(pk=order.seller_id).update(email=f"{start.strip()}@example.com")
    row = report()[0]
    assert row["name"].startswith("'")
    assert row["seller_email"].startswith("'")
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row.values())


def test_report_is_limited_to_the_requested_time(order, staff):
    payout = pay(order)
    opened = payout.created_at
    assert len(report(since=opened, until=opened + timedelta(seconds=1))) == 1
    assert report(until=opened) == []
    assert report(since=opened + timedelta(seconds=1)) == []
    assert len(report(due=True)) == 1
    payouts.mark_paid_by_hand(payout_id=payout.pk, actor=staff, note="Bank transfer.")
    assert report(due=True) == []
    assert len(report()) == 1


def test_report_dates_are_utc_days(order, capsys):
    pay(order)
    call_command("payout_report", "--since", "2000-01-01", "--until", "2000-01-02")
    assert len(capsys.readouterr().out.splitlines()) == 1
