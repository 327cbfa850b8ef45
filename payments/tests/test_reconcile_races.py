"""Two concurrent reconciliations: one runs. Negative control: without the constraint both do."""

from __future__ import annotations

import pytest
from django.db import connection

from payments import errors, stripe_gateway
from payments.models import Reconciliation
from payments.services.reconciliation import reconcile
from payments.tests.conftest import run_concurrently
from tests.servers import wait_until

pytestmark = [pytest.mark.sqlite, pytest.mark.django_db(transaction=True)]


@pytest.fixture(params=["", "constraint"])
def without(request):
    """Remove the constraint for the test, or nothing."""
    [constraint] = Reconciliation._meta.constraints
    if request.param:
        with connection.schema_editor() as editor:
            editor.remove_constraint(Reconciliation, constraint)
    yield request.param
    if request.param:
        Reconciliation.objects.all().delete()
        with connection.schema_editor() as editor:
            editor.add_constraint(Reconciliation, constraint)


def test_reconcile_concurrently_runs_once_because_of_the_constraint(double, monkeypatch, without):
    list_intents, running, refused = stripe_gateway.list_intents, [], []

    def wait_for_the_other(**query):
        running.append(query)
        wait_until(lambda: len(running) == 2 or refused)
        return list_intents(**query)

    def attempt():
        try:
            return reconcile().error
        except errors.ReconciliationRunning as error:
            refused.append(error)
            return error.code

    monkeypatch.setattr(stripe_gateway, "list_intents", wait_for_the_other)
    outcomes = sorted(run_concurrently(2, attempt))
    assert outcomes == (["", ""] if without else ["", "reconciliation_running"])
    assert Reconciliation.objects.count() == (2 if without else 1)
