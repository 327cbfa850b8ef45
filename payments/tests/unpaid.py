"""Orders that go unpaid, for the tests of what becomes of them."""

from __future__ import annotations

from accounts.models import User
from auctioncraft.tests.times import pass_for
from payments.models import StripeEvent
from payments.services import expiry
from payments.tests.conftest import an_event, deliver

SUCCEEDED = "payment_intent.succeeded"


def strikes(user):
    return User.objects.values_list("strikes", flat=True).get(pk=user.pk)


def expire(product):
    pass_for(product, hours=96)
    assert expiry.expire_due() == 1


def run_out(product):
    """Let its order expire though Stripe could not be asked: what might be paid there is left over."""
    pass_for(product, days=15)
    expire(product)


def paid_event(client, double, intent_id, event_id="evt_1"):
    answer = deliver(client, an_event(double.intent(intent_id), SUCCEEDED, event_id))
    assert answer.status_code == 200
    return StripeEvent.objects.get(pk=event_id)
