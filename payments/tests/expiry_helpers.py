"""Orders that expire unpaid."""

from __future__ import annotations

from accounts.models import User
from payments.models import StripeEvent
from payments.services import expiry
from payments.tests.conftest import build_event, post_event
from tests.time_travel import advance_time

SUCCEEDED = "payment_intent.succeeded"


def strikes(user):
    return User.objects.values_list("strikes", flat=True).get(pk=user.pk)


def expire(product):
    advance_time(product, hours=96)
    assert expiry.expire_due() == 1


def expire_without_stripe(product):
    """Let the order expire without asking Stripe: its intent stays open there."""
    advance_time(product, days=15)
    expire(product)


def paid_event(client, double, intent_id, event_id="evt_1"):
    answer = post_event(client, build_event(double.intent(intent_id), SUCCEEDED, event_id))
    assert answer.status_code == 200
    return StripeEvent.objects.get(pk=event_id)
