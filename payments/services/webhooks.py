"""Webhooks: verify an event, store it, process it.

Source: https://docs.stripe.com/webhooks
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction

from auctioncraft.core import clock, retry
from auctioncraft.core.errors import NotFound
from auctioncraft.core.purge import delete_in_batches
from payments import errors, stripe_gateway
from payments.models import StripeEvent
from payments.services.event_handlers import HANDLERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.db.models import QuerySet

    from payments.stripe_gateway import Event

MAX_BODY: Final = 256 * 1024
# Stripe delivers an event again for three days and lists it for thirty, so none comes back.
EVENT_RETENTION: Final = timedelta(days=90)
# These attempts take about four days, and while Stripe is down an event is never given up. After that an event is
# processed only if Stripe delivers it again or staff reprocess it.
POLICY: Final = retry.RetryPolicy(max_attempts=18, stop_on=(errors.StripeDown,))


def receive(*, payload: bytes, signature: str) -> None:
    """Take one delivery: verify the raw body, keep the event under its unique id, then act on it.

    A repeat of an event that was acted on does nothing. Raises BadSignature, WrongMode (kept, flagged, never acted
    on), WebhookNotConfigured; and whatever made acting on it fail: the event is kept then, for Stripe's next
    delivery and for the job.
    """
    event = stripe_gateway.verify_event(payload=payload, signature=signature)
    store(event=event, found_by=StripeEvent.FoundBy.WEBHOOK)
    if _of_other_mode(event.payload):
        raise errors.WrongMode
    process(event_id=event.id)


def store(*, event: Event, found_by: StripeEvent.FoundBy) -> None:
    """Store an event to be acted on, if it is not there yet; one of the other mode is flagged, and never acted on."""
    row = StripeEvent(
        id=event.id,
        type=event.type,
        payload=event.payload,
        account=event.account,
        created_at=event.created_at,
        found_by=found_by,
        # The caller processes it now; the job does if the process is killed.
        next_attempt_at=POLICY.lease_end(),
    )
    if _of_other_mode(event.payload):
        row.flag, row.processed_at = "wrong_mode", clock.now()
    # One statement: of ten deliveries at once one inserts, and nine find it.
    StripeEvent.objects.bulk_create([row], ignore_conflicts=True)


def process(*, event_id: str) -> None:
    """Act on a stored event for a caller who waits; quiet if that was done.

    Raises whatever made it fail, which is recorded on the event; the job tries it again.
    """
    if retry.attempt_now(_pending(), event_id, _process, policy=POLICY):
        return
    # It is done, or another worker has it, which may have been killed. Two at once wait for the row's lock.
    if event := _pending().filter(pk=event_id).first():
        _process(event)


def process_due() -> int:
    """Act on the stored events that are due; return how many were acted on. A job."""
    return retry.process_due(_pending(), _process, policy=POLICY)


def reprocess(*, event_id: str) -> StripeEvent:
    """Act on a stored event whether that was done before or not, as staff may ask; return it as it is then.

    Handlers move rows forward only, so what was done already stays as it is. Raises NotFound, WrongMode, and whatever
    made it fail.
    """
    event = StripeEvent.objects.filter(pk=event_id).first()
    if event is None:
        raise NotFound
    if _of_other_mode(event.payload):
        raise errors.WrongMode
    if event.processed_at is None:
        process(event_id=event_id)
    else:
        _process(event)
    event.refresh_from_db()
    return event


def purge() -> int:
    """Delete the events that were processed 90 days ago; return how many. A job."""
    return delete_in_batches(lambda now: StripeEvent.objects.filter(processed_at__lt=now - EVENT_RETENTION))


def _pending() -> QuerySet[StripeEvent]:
    return StripeEvent.objects.filter(processed_at__isnull=True)


def _process(event: StripeEvent) -> None:
    """Have the handler of an event ask Stripe how things stand, then move our rows forward in one transaction."""
    handler = HANDLERS.get(event.type)
    found = handler and handler.read(event)
    with transaction.atomic(durable=True):
        row = StripeEvent.objects.select_for_update(no_key=True).get(pk=event.pk)
        if row.processed_at is not None and event.processed_at is None:
            return  # another worker was faster
        if handler is not None:
            # Flagged, not refused: Stripe would deliver it again for three days.
            row.flag = _unknown(row.type) if found is None else handler.apply(found) or ""
        row.processed_at = row.processed_at or clock.now()
        row.save(update_fields=("flag", "processed_at"))


def _unknown(event_type: str) -> str:
    """Return the flag for an event about what we do not know: `unknown_dispute` of `charge.dispute.closed`."""
    what = event_type.split(".")[-2]
    return "unknown_intent" if what == "payment_intent" else f"unknown_{what}"


def _of_other_mode(payload: Mapping[str, Any]) -> bool:
    return (payload.get("livemode") is True) != stripe_gateway.is_live_mode()
