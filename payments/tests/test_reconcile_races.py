"""Two reconciliations at once: one; and what happens without the constraint that says so."""

from __future__ import annotations

import time

import pytest
from django.db import connection

from payments import errors, stripe_gateway
from payments.models import Reconciliation
from payments.services.reconciliation import reconcile
from payments.tests.conftest import run_concurrently

pytestmark = [pytest.mark.sqlite, pytest.mark.django_db(transaction=True)]


@pytest.fixture(params=["", "constraint"])
def without(request):
    """What is taken away for the test, if anything."""
    [constraint] = Reconciliation._meta.constraints
    if request.param:
        with connection.schema_editor() as editor:
            editor.remove_constraint(Reconciliation, constraint)
    yield request.param
    if request.param:
        Reconciliation.objects.all().delete()
        with connection.schema_editor() as editor:
            editor.add_constraint(Reconciliation, constraint)


def attempt():
    try:
        return reconcile().error
    except errors.ReconciliationRunning as refusal:
        return refusal.code


def test_of_two_that_begin_together_one_runs(double, monkeypatch, without):
    ask = stripe_gateway.list_intents

    def slow(**how):
        time.sleep(1)  # both have begun by then
        return ask(**how)

    monkeypatch.setattr(stripe_gateway, "list_intents", slow)
    outcomes = sorted(run_concurrently(2, attempt))
    assert outcomes == (["", ""] if without else ["", "reconciliation_running"])
    assert Reconciliation.objects.count() == (2 if without else 1)
