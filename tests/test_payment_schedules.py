"""Random schedules of payments, refunds, disputes, events and crashes, compared with the double's records.

`python -m tests.schedules` is the long run.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from payments import stripe_gateway
from payments.services import expiry, refunds
from tests.schedules import run, schedule

if TYPE_CHECKING:
    from collections.abc import Callable

    from payments.models import Refund

pytestmark = pytest.mark.django_db(transaction=True)

SCHEDULES, NIGHTLY_SCHEDULES = 10, 200
ENOUGH_TO_NOTICE = 36


@pytest.mark.parametrize("schedules", [SCHEDULES, pytest.param(NIGHTLY_SCHEDULES, marks=pytest.mark.nightly)])
def test_payments_after_random_schedules_equal_the_doubles_records(schedules: int) -> None:
    counts = run.run(schedules, 0)
    assert counts["crashes"] > schedules // 2, "schedules without a crash prove little"


def emphasize(patch: pytest.MonkeyPatch, **weights: int) -> None:
    """Weight the schedules so that a few of them show the fault."""
    for name in schedule.WEIGHTS:
        patch.setitem(schedule.WEIGHTS, name, weights.get(name, 0))
    patch.setattr(schedule, "STEPS", ((10, 30),))


def refund_under_new_keys(patch: pytest.MonkeyPatch) -> None:
    """Retry a refund under a new idempotency key, without looking for it at Stripe."""
    create, find_or_create = stripe_gateway.create_refund, refunds._find_or_create

    def without_looking(refund: Refund) -> stripe_gateway.RefundAtStripe:
        refund.was_attempted = False
        return find_or_create(refund)

    def with_new_key(**given: Any) -> Any:
        return create(**{**given, "idempotency_key": str(uuid.uuid4())})

    patch.setattr(stripe_gateway, "create_refund", with_new_key)
    patch.setattr(refunds, "_find_or_create", without_looking)
    emphasize(patch, buy=6, refund=20, run_job=8)


def expire_without_asking(patch: pytest.MonkeyPatch) -> None:
    """Expire an order without asking Stripe."""
    patch.setattr(expiry, "_end_intent", lambda _: None)
    emphasize(patch, check_out=5, pay=10, pass_due_time=5, run_job=10)


def never_reconcile(patch: pytest.MonkeyPatch) -> None:
    """Rely on webhooks alone."""
    patch.setattr(run, "reconcile_until_quiet", lambda: None)


@pytest.mark.nightly
@pytest.mark.parametrize(
    "fault", [refund_under_new_keys, expire_without_asking, never_reconcile], ids=lambda fault: fault.__name__
)
def test_payments_with_a_fault_differ_from_the_doubles_records(
    fault: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    fault(monkeypatch)
    with pytest.raises(AssertionError):
        run.one_batch(0, ENOUGH_TO_NOTICE)
