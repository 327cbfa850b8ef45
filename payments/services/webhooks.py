"""Webhooks: verify, keep, act.

Source: https://docs.stripe.com/webhooks
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction
from django.db.models import F, Q

from auctioncraft.core import clock
from auctioncraft.core.errors import NotFound
from payments import errors, stripe_gateway
from payments.models import StripeEvent
from payments.services.event_handlers import HANDLERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from payments.services.event_handlers import Handler
    from payments.stripe_gateway import Event

logger = logging.getLogger(__name__)

MAX_BODY: Final = 256 * 1024
# After the n-th try an event waits until it is 10 s x 2^n old; after the 16th (3.8 days) only Stripe delivers it again.
_FIRST_RETRY: Final = timedelta(seconds=10)
_MOST_TRIES: Final = 16


def receive(*, payload: bytes, signature: str) -> None:
    """Take one delivery: verify the raw body, keep the event under its unique id, then act on it.

    A repeat of an event that was acted on does nothing. Raises BadSignature, WrongMode (kept, flagged, never acted
    on), WebhookNotConfigured; and whatever made acting on it fail: the event is kept then, for Stripe's next
    delivery and for the sweep.
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
    )
    if _of_other_mode(event.payload):
        row.flag, row.processed_at = "wrong_mode", clock.now()
    # One statement: of ten deliveries at once one inserts, and nine find it.
    StripeEvent.objects.bulk_create([row], ignore_conflicts=True)


def process(*, event_id: str) -> None:
    """Act on a kept event, once. Quiet if that was done.

    Effects in order: its handler (event_handlers.py) asks Stripe how things stand, outside any transaction; then, in
    one transaction under the event's lock, the handler moves the rows forward and the event is marked. A failure is
    recorded on the event, outside the rollback, and raised.
    """
    event = StripeEvent.objects.filter(pk=event_id, processed_at__isnull=True).first()
    if event is not None:
        _attempt(event, again=False)


def reprocess(*, event_id: str) -> StripeEvent:
    """Act on a kept event whether that was done before or not, as staff may ask; return it as it is then.

    Handlers move rows forward only, so what was done already stays as it is. Raises NotFound, WrongMode, and whatever
    made acting on it fail, which is recorded on it.
    """
    event = StripeEvent.objects.filter(pk=event_id).first()
    if event is None:
        raise NotFound
    if _of_other_mode(event.payload):
        raise errors.WrongMode
    _attempt(event, again=True)
    event.refresh_from_db()
    return event


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


def _attempt(event: StripeEvent, *, again: bool) -> None:
    handler = HANDLERS.get(event.type)
    try:
        _process_locked(event_id=event.pk, handler=handler, found=handler and handler.read(event), again=again)
    except Exception as error:
        failed = StripeEvent.objects.filter(pk=event.pk)
        if not again:
            # Somebody else may have done it meanwhile: then this failure is of no interest.
            failed = failed.filter(processed_at__isnull=True)
        failed.update(attempts=F("attempts") + 1, error=f"{type(error).__name__}: {error}"[:500])
        raise


@transaction.atomic(durable=True)
def _process_locked(*, event_id: str, handler: Handler | None, found: Any, again: bool) -> None:
    event = StripeEvent.objects.select_for_update(no_key=True).get(pk=event_id)
    if event.processed_at is not None and not again:
        return
    if handler is not None:
        # Flagged, not refused: Stripe would deliver it again for three days.
        event.flag = _unknown(event.type) if found is None else handler.apply(event, found)
    event.processed_at = event.processed_at or clock.now()
    event.attempts += 1
    event.error = ""
    event.save(update_fields=("flag", "processed_at", "attempts", "error"))


def _unknown(event_type: str) -> str:
    """Return the flag for an event about what we do not know: `unknown_dispute` of `charge.dispute.closed`."""
    what = event_type.split(".")[-2]
    return "unknown_intent" if what == "payment_intent" else f"unknown_{what}"


def _of_other_mode(payload: Mapping[str, Any]) -> bool:
    return (payload.get("livemode") is True) != stripe_gateway.is_live_mode()
