"""Transfers to sellers and their reversals: what the rows of payouts ask for is asked of Stripe, and its answer kept.

For each, effects in order: what is asked for, and under which key, is committed; Stripe is asked, outside any
transaction; the answer is committed. An answer that never came is looked up at Stripe before it is asked for again.
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from auctioncraft import clock
from auctioncraft.sweeps import one_by_one
from payments import errors, stripe_gateway
from payments.models import Order, Payment, Payout, SellerAccount, TransferReversal
from payments.services import payouts

if TYPE_CHECKING:
    from datetime import datetime

# The n-th try is followed by the next after 30 s x 2^n, at most a day. More than Stripe is waited for, so that no
# other worker asks meanwhile.
_FIRST_RETRY: Final = timedelta(seconds=30)
_LAST_RETRY: Final = timedelta(days=1)
_UNANSWERED: Final = "stripe_unavailable"
# Our clock and Stripe's.
_SKEW: Final = timedelta(hours=1)


def send_due(*, limit: int = 100) -> int:
    """Send the transfers that are due, and take back what is too much; return how many were made. A sweep.

    Two sweeps at once do no harm: whoever claims a row keeps the others from it until the time of its next try.
    """
    now = clock.now()
    ready = Q(try_at__isnull=True) | Q(try_at__lte=now)
    able = Q(seller__seller_account__transfers_active=True, seller__seller_account__payouts_enabled=True)
    due = Q(status=Payout.Status.DUE) | Q(able, status=Payout.Status.BLOCKED, blocked_by=payouts.NOT_ONBOARDED)
    wanted = Q(sending__isnull=False) | (due if settings.STRIPE_CONNECT else Q(pk__in=()))
    to_send = Payout.objects.filter(ready, wanted, route=Payout.Route.TRANSFER).order_by("pk")
    to_take_back = TransferReversal.objects.filter(ready, made_at__isnull=True).order_by("pk")
    sent = one_by_one(_send, list(to_send.values_list("pk")[:limit]))
    return sent + one_by_one(_take_back, list(to_take_back.values_list("pk")[:limit]))


def _send(payout_id: int) -> bool:
    payout = _claim(payout_id)
    if payout is None or payout.sending is None:
        return False
    try:
        transfer_id = _transfer(payout)
    except errors.PaymentRefused as refusal:
        _note(payout, sending=None, **_lesson(refusal))
        return False
    except errors.StripeUnavailable as silence:
        _note(payout, **_lesson(silence))
        return False
    if not transfer_id:
        _note(payout, idempotency_key=uuid.uuid4(), sending=None)
        return False
    return _record(payout, transfer_id)


@transaction.atomic(durable=True)
def _claim(payout_id: int) -> Payout | None:
    """Return the payout with what to send of it, or what may have been sent; None if there is nothing to do now."""
    payout, now = _lock(payout_id)[1], clock.now()
    if payout.status == Payout.Status.PAID or (payout.try_at is not None and payout.try_at > now):
        return None
    payouts.stand(payout)
    if payout.sending is None:
        if payout.status != Payout.Status.DUE:
            return None
        payout.sending = payout.owed
    payout.attempts += 1
    payout.try_at = _next_try(payout.attempts, now)
    payout.save(update_fields=("sending", "attempts", "try_at"))
    return payout


def _transfer(payout: Payout) -> str:
    """Return the id of the payout's transfer at Stripe, made if it is still due; empty if there is none, and it is not.

    Raises PaymentRefused, KeyInUse, KeySpent, StripeUnavailable.
    """
    destination = SellerAccount.objects.values_list("account_id", flat=True).filter(user_id=payout.seller_id).first()
    marks = {"payout": str(payout.pk), "order": str(payout.order_id)}
    if payout.attempts > 1:
        since = payout.created_at - _SKEW
        found = stripe_gateway.find_transfer(destination=destination or "", since=since, metadata=marks)
        if found or payout.status != Payout.Status.DUE:
            return found
    return stripe_gateway.create_transfer(
        amount=payout.sending or payout.owed,
        currency=payout.currency,
        destination=destination or "",
        charge_id=_charge_id(payout),
        metadata=marks,
        idempotency_key=str(payout.idempotency_key),
    )


def _charge_id(payout: Payout) -> str:
    paid = Payment.objects.get(order_id=payout.order_id, status=Payment.Status.SUCCEEDED)
    return stripe_gateway.retrieve_intent(paid.intent_id or "").charge_id


@transaction.atomic(durable=True)
def _record(claimed: Payout, transfer_id: str) -> bool:
    order, payout = _lock(claimed.pk)
    if payout.sending is None:
        return False
    amount, now = payout.sending, clock.now()
    payout.sent, payout.sending, payout.transfer_id = payout.sent + amount, None, transfer_id
    payout.status, payout.paid_at = Payout.Status.PAID, now
    payout.blocked_by = payout.error = ""
    payout.save()
    payouts.record_paid(order=order, payout=payout, amount=amount, at=now)
    # The buyer may have got some of it back meanwhile.
    payouts.level(payout, at=now)
    return True


def _note(claimed: Payout, **changes: object) -> None:
    """Write down what came of a try, unless somebody has dealt with it meanwhile."""
    with transaction.atomic(durable=True):
        payout = _lock(claimed.pk)[1]
        if payout.sending is not None and payout.idempotency_key == claimed.idempotency_key:
            Payout.objects.filter(pk=payout.pk).update(**changes)


def _take_back(reversal_id: int) -> bool:
    reversal = _claim_reversal(reversal_id)
    if reversal is None:
        return False
    try:
        found = _reversal(reversal)
    except (errors.PaymentRefused, errors.StripeUnavailable) as error:
        _note_reversal(reversal, **_lesson(error))
        return False
    return _record_reversal(reversal, found)


@transaction.atomic(durable=True)
def _claim_reversal(reversal_id: int) -> TransferReversal | None:
    payout_id = TransferReversal.objects.values_list("payout_id", flat=True).filter(pk=reversal_id).first()
    if payout_id is None:
        return None
    payout, now = _lock(payout_id)[1], clock.now()
    # Read under the payout's lock, which whoever writes or deletes it holds.
    reversal = payout.reversals.filter(pk=reversal_id, made_at__isnull=True).first()
    if reversal is None or (reversal.try_at is not None and reversal.try_at > now):
        return None
    reversal.attempts += 1
    reversal.try_at = _next_try(reversal.attempts, now)
    reversal.save(update_fields=("attempts", "try_at"))
    reversal.payout = payout
    return reversal


def _reversal(reversal: TransferReversal) -> str:
    """Return the id of the reversal at Stripe, made if it is not there yet.

    Raises PaymentRefused, KeyInUse, KeySpent, StripeUnavailable.
    """
    payout, marks = reversal.payout, {"reversal": str(reversal.pk)}
    if not payout.transfer_id:
        # Of a payment with a destination the transfer is Stripe's; now we want its id.
        payout.transfer_id = stripe_gateway.transfer_of_charge(_charge_id(payout))
        Payout.objects.filter(pk=payout.pk).update(transfer_id=payout.transfer_id)
    if reversal.attempts > 1 and (
        found := stripe_gateway.find_reversal(transfer_id=payout.transfer_id, metadata=marks)
    ):
        return found
    return stripe_gateway.reverse_transfer(
        transfer_id=payout.transfer_id,
        amount=reversal.amount,
        currency=payout.currency,
        metadata=marks,
        idempotency_key=str(reversal.idempotency_key),
    )


@transaction.atomic(durable=True)
def _record_reversal(claimed: TransferReversal, found: str) -> bool:
    payout, now = _lock(claimed.payout_id)[1], clock.now()
    waiting = payout.reversals.filter(pk=claimed.pk, made_at__isnull=True)
    if not waiting.update(reversal_id=found, made_at=now, error=""):
        return False
    payout.sent -= claimed.amount
    payout.save(update_fields=("sent",))
    payouts.level(payout, at=now)
    return True


def _note_reversal(claimed: TransferReversal, **changes: object) -> None:
    TransferReversal.objects.filter(
        pk=claimed.pk, made_at__isnull=True, idempotency_key=claimed.idempotency_key
    ).update(**changes)


def _lock(payout_id: int) -> tuple[Order, Payout]:
    order = Order.objects.locked(Payout.objects.values_list("order_id", flat=True).get(pk=payout_id))
    return order, Payout.objects.select_for_update(no_key=True).get(pk=payout_id)


def _next_try(attempts: int, now: datetime) -> datetime:
    wait: timedelta = min(_FIRST_RETRY * 2 ** min(attempts, 20), _LAST_RETRY)
    return now + wait


def _lesson(error: errors.PaymentRefused | errors.StripeUnavailable) -> dict[str, object]:
    """Return what a failed try leaves on its row: Stripe answers a key it has refused with the refusal for a day."""
    if isinstance(error, errors.PaymentRefused):
        code = str(error.extra.get("stripe_code") or "refused")[:100]
        return {"error": code, "idempotency_key": uuid.uuid4()}
    if isinstance(error, errors.KeySpent):
        return {"error": _UNANSWERED, "idempotency_key": uuid.uuid4()}
    return {"error": _UNANSWERED}
