"""Webhooks: verify, keep, act.

Source: https://docs.stripe.com/webhooks
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.db.models import F, Q

from auctioncraft import clock
from payments import errors, stripe_gateway
from payments.models import Order, OrderEvent, Payment, StripeEvent
from payments.services import history, intents
from payments.signals import payment_failed

if TYPE_CHECKING:
    from payments.stripe_gateway import Intent

logger = logging.getLogger(__name__)

MAX_BODY: Final = 256 * 1024
# Others are kept and acknowledged. https://docs.stripe.com/api/events/types
HANDLED: Final = frozenset(
    f"payment_intent.{change}"
    for change in ("succeeded", "payment_failed", "processing", "canceled", "requires_action")
)
# After the n-th try an event waits until it is 10 s x 2^n old; after the 16th (3.8 days) only Stripe delivers it again.
_FIRST_RETRY: Final = timedelta(seconds=10)
_MOST_TRIES: Final = 16


def receive(*, payload: bytes, signature: str) -> None:
    """Take one delivery: verify the raw body, keep the event under its unique id, then act on it.

    A repeat of an event that was acted on does nothing. Raises BadSignature, WrongMode (kept, flagged, never acted
    on), WebhookNotConfigured; and whatever made acting on it fail: the event is kept then, for Stripe's next
    delivery and for the sweep.
    """
    event = stripe_gateway.read_event(payload=payload, signature=signature)
    wrong_mode = event.livemode != stripe_gateway.live_mode()
    row = StripeEvent(id=event.id, type=event.type, payload=event.payload)
    if wrong_mode:
        row.flag, row.processed_at = "wrong_mode", clock.now()
    # One statement: of ten deliveries at once one inserts, and nine find it.
    StripeEvent.objects.bulk_create([row], ignore_conflicts=True)
    if wrong_mode:
        raise errors.WrongMode
    process(event_id=event.id)


def process(*, event_id: str) -> None:
    """Act on a kept event, once. Quiet if that was done.

    Effects in order: unless it has succeeded the intent is read again from Stripe, outside any transaction; then, in
    one transaction under the locks of StripeEvent, Auction, Order, Payment, the rows move forward and the event is
    marked. A failure is recorded on the event, outside the rollback, and raised.
    """
    event = StripeEvent.objects.filter(pk=event_id, processed_at__isnull=True).first()
    if event is None:
        return
    try:
        _act(event_id=event_id, intent=_current_intent(event))
    except Exception as error:
        StripeEvent.objects.filter(pk=event_id, processed_at__isnull=True).update(
            attempts=F("attempts") + 1, error=f"{type(error).__name__}: {error}"[:500]
        )
        raise


def process_pending(*, limit: int = 100) -> int:
    """Try kept events again whose time has come, the oldest first; return how many are done now. A sweep.

    Two sweeps at once do no harm: whoever comes second finds the event processed.
    """
    now = clock.now()
    due = Q()
    for tries in range(_MOST_TRIES):
        due |= Q(attempts=tries, received_at__lte=now - _FIRST_RETRY * 2**tries)
    waiting = StripeEvent.objects.filter(due, processed_at__isnull=True).order_by("received_at")
    done = 0
    for event_id in list(waiting.values_list("pk", flat=True)[:limit]):
        try:
            process(event_id=event_id)
        except Exception as error:  # noqa: BLE001 (recorded on its row; the others must go on)
            logger.warning("stripe event %s still fails: %s", event_id, type(error).__name__)
        else:
            done += 1
    return done


def _current_intent(event: StripeEvent) -> Intent | None:
    """Return the intent as it is now; None if it is none of ours, or none of Stripe's any more.

    Events may come in any order, so an intent is read again from Stripe; only `succeeded` is final and stands as it is.
    """
    intent_id = stripe_gateway.intent_id_of(event.payload)
    if event.type not in HANDLED or not Payment.objects.filter(intent_id=intent_id).exists():
        return None
    if event.type == "payment_intent.succeeded":
        return stripe_gateway.paid_intent_of(event.payload)
    try:
        return stripe_gateway.retrieve_intent(intent_id)
    except errors.NotAtStripe:
        return None


@transaction.atomic(durable=True)
def _act(*, event_id: str, intent: Intent | None) -> None:
    event = StripeEvent.objects.select_for_update(no_key=True).get(pk=event_id)
    if event.processed_at is not None:
        return
    if event.type in HANDLED:
        # Flagged, not refused: Stripe would deliver it again for three days.
        event.flag = "unknown_intent" if intent is None else _bring_forward(event.type, intent)
    event.processed_at = clock.now()
    event.attempts += 1
    event.error = ""
    event.save(update_fields=("flag", "processed_at", "attempts", "error"))


def _bring_forward(event_type: str, intent: Intent) -> str:
    payment_id = Payment.objects.values_list("pk", flat=True).get(intent_id=intent.id)
    order, payment = intents.lock(payment_id=payment_id, intent=intent)
    flag = intents.apply(order=order, payment=payment, intent=intent)
    declined = event_type == "payment_intent.payment_failed" and intent.status == "requires_payment_method"
    if declined and order.status == Order.Status.AWAITING_PAYMENT:
        history.record(
            order=order,
            kind=OrderEvent.Kind.PAYMENT_FAILED,
            at=clock.now(),
            role=OrderEvent.Role.STRIPE,
            reason=payment.last_error,
        )
        payment_failed.send(sender=Order, order=order)
    return flag
