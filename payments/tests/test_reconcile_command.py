"""`manage.py reconcile`, its periodic job and its admin page."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from payments import tasks
from payments.models import Payment, Reconciliation
from tests import admin_pages
from tests.db_snapshot import assert_nothing_written

pytestmark = pytest.mark.django_db


def run(*arguments):
    """Run the command; return its output and exit code."""
    out = StringIO()
    try:
        call_command("reconcile", *arguments, stdout=out)
    except CommandError as error:
        return out.getvalue(), error.returncode
    return out.getvalue(), 0


def test_reconcile_command_prints_what_it_compared(double, intent_id, order):
    double.confirm(intent_id)
    said, code = run()
    assert code == 0
    for line in (
        "  intents: 1",
        "  balance_transactions: 1",
        "  payments_fixed: 1",
        "  USD charge: ours 19.99, Stripe's 19.99",
    ):
        assert f"{line}\n" in said + "\n"
    order.refresh_from_db()
    assert order.status == "paid"


def test_reconcile_command_with_differences_exits_with_1(double):
    intent = double.create()["id"]
    double.confirm(intent)
    said, code = run()
    assert (code, "! charge of 19.99 USD at Stripe, here nothing (ch_" in said, intent in said) == (1, True, True)


def test_reconcile_command_prints_json(double, intent_id):
    double.confirm(intent_id)
    said, code = run("--json", "--since=40d")
    found = json.loads(said)
    assert (code, found["sums"], found["differences"]) == (
        0,
        {"USD": {"charge": {"ours": "19.99", "stripe": "19.99"}}},
        [],
    )
    assert found["since"] < found["started_at"]


def test_reconcile_command_dry_run_writes_nothing(double, intent_id):
    double.confirm(intent_id)
    with assert_nothing_written():
        said, code = run("--dry-run")
    assert (code, f"! payment {Payment.objects.get().pk} is open, and its intent succeeded ({intent_id})" in said) == (
        1,
        True,
    )


@pytest.mark.parametrize("since", ["7", "d", "7w", "-7d", "7d ", "\uff19d"])
def test_reconcile_command_with_invalid_age_exits_with_2(since):
    assert run(f"--since={since}") == ("", 2)


def test_reconcile_command_that_fails_exits_with_2(stripe_unreachable):
    assert run() == ("", 2)
    assert Reconciliation.objects.get().error == "stripe_unavailable"


def test_reconcile_job_records_a_reconciliation(double, intent_id, order):
    double.confirm(intent_id)
    tasks.reconcile_with_stripe()
    order.refresh_from_db()
    assert (order.status, Reconciliation.objects.get().error) == ("paid", "")


def test_admin_shows_the_number_of_differences(double):
    double.confirm(double.create()["id"])
    run()
    operator = admin_pages.operator()
    address = admin_pages.page(Reconciliation)
    for outcome, rows in (("differs", 1), ("failed", 0)):
        page = operator.get(address, {"outcome": outcome})
        assert page.context["cl"].result_count == rows
    row = Reconciliation.objects.get()
    assert (
        "charge of 19.99 USD at Stripe"
        in operator.get(admin_pages.page(Reconciliation, "change", row.pk)).content.decode()
    )
