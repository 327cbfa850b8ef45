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

from auctioncraft.core import clock
from auctioncraft.core.jobs import process_each
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
    ready = Q(next_attempt_at__isnull=True) | Q(next_attempt_at__lte=now)
    able = Q(seller__seller_account__transfers_active=True, seller__seller_account__payouts_enabled=True)
    due = Q(status=Payout.Status.DUE) | Q(able, status=Payout.Status.BLOCKED, blocked_by=payouts.NOT_ONBOARDED)
    wanted = Q(transfer_pending__isnull=False) | (due if settings.STRIPE_CONNECT else Q(pk__in=()))
    to_send = Payout.objects.filter(ready, wanted, route=Payout.Route.TRANSFER).order_by("pk")
    to_take_back = TransferReversal.objects.filter(ready, completed_at__isnull=True).order_by("pk")
    sent = process_each(_send, list(to_send.values_list("pk")[:limit]))
    return sent + process_each(_reverse, list(to_take_back.values_list("pk")[:limit]))


def _send(payout_id: int) -> bool:
    payout = _claim(payout_id)
    if payout is None or payout.transfer_pending is None:
        return False
    try:
        transfer_id = _transfer(payout)
    except errors.PaymentRefused as refusal:
        _record_failure(payout, transfer_pending=None, **_retry_fields(refusal))
        return False
    except errors.StripeUnavailable as silence:
        _record_failure(payout, **_retry_fields(silence))
        return False
    if not transfer_id:
        _record_failure(payout, idempotency_key=uuid.uuid4(), transfer_pending=None)
        return False
    return _record(payout, transfer_id)


@transaction.atomic(durable=True)
def _claim(payout_id: int) -> Payout | None:
    """Return the payout with what to send of it, or what may have been sent; None if there is nothing to do now."""
    payout, now = _lock(payout_id)[1], clock.now()
    if payout.status == Payout.Status.PAID or (payout.next_attempt_at is not None and payout.next_attempt_at > now):
        return None
    payouts.refresh_status(payout)
    if payout.transfer_pending is None:
        if payout.status != Payout.Status.DUE:
            return None
        payout.transfer_pending = payout.owed
    payout.attempts += 1
    payout.next_attempt_at = _next_try(payout.attempts, now)
    payout.save(update_fields=("transfer_pending", "attempts", "next_attempt_at"))
    return payout


def _transfer(payout: Payout) -> str:
    """Return the id of the payout's transfer at Stripe, made if it is still due; empty if there is none, and it is not.

    Raises PaymentRefused, KeyInUse, StoredFailure, StripeUnavailable.
    """
    destination = (
        SellerAccount.objects.values_list("stripe_account_id", flat=True).filter(user_id=payout.seller_id).first()
    )
    marks = {"payout": str(payout.pk), "order": str(payout.order_id)}
    if payout.attempts > 1:
        since = payout.created_at - _SKEW
        found = stripe_gateway.find_transfer(destination=destination or "", since=since, metadata=marks)
        if found or payout.status != Payout.Status.DUE:
            return found
    return stripe_gateway.create_transfer(
        amount=payout.transfer_pending or payout.owed,
        currency=payout.currency,
        destination=destination or "",
        charge_id=_charge_id(payout),
        metadata=marks,
        idempotency_key=str(payout.idempotency_key),
    )


def _charge_id(payout: Payout) -> str:
    paid = Payment.objects.get(order_id=payout.order_id, status=Payment.Status.SUCCEEDED)
    return stripe_gateway.retrieve_intent(paid.stripe_intent_id or "").charge_id


@transaction.atomic(durable=True)
def _record(claimed: Payout, transfer_id: str) -> bool:
    order, payout = _lock(claimed.pk)
    if payout.transfer_pending is None:
        return False
    amount, now = payout.transfer_pending, clock.now()
    payout.transferred, payout.transfer_pending, payout.stripe_transfer_id = (
        payout.transferred + amount,
        None,
        transfer_id,
    )
    payout.status, payout.paid_at = Payout.Status.PAID, now
    payout.blocked_by = payout.error = ""
    payout.save()
    payouts.record_paid(order=order, payout=payout, amount=amount, at=now)
    # The buyer may have got some of it back meanwhile.
    payouts.settle_balance(payout, at=now)
    return True


def _record_failure(claimed: Payout, **changes: object) -> None:
    """Write down what came of a try, unless somebody has dealt with it meanwhile."""
    with transaction.atomic(durable=True):
        payout = _lock(claimed.pk)[1]
        if payout.transfer_pending is not None and payout.idempotency_key == claimed.idempotency_key:
            Payout.objects.filter(pk=payout.pk).update(**changes)


def _reverse(reversal_id: int) -> bool:
    reversal = _claim_reversal(reversal_id)
    if reversal is None:
        return False
    try:
        found = _reversal(reversal)
    except (errors.PaymentRefused, errors.StripeUnavailable) as error:
        _record_reversal_failure(reversal, **_retry_fields(error))
        return False
    return _record_reversal(reversal, found)


@transaction.atomic(durable=True)
def _claim_reversal(reversal_id: int) -> TransferReversal | None:
    payout_id = TransferReversal.objects.values_list("payout_id", flat=True).filter(pk=reversal_id).first()
    if payout_id is None:
        return None
    payout, now = _lock(payout_id)[1], clock.now()
    # Read under the payout's lock, which whoever writes or deletes it holds.
    reversal = payout.reversals.filter(pk=reversal_id, completed_at__isnull=True).first()
    if reversal is None or (reversal.next_attempt_at is not None and reversal.next_attempt_at > now):
        return None
    reversal.attempts += 1
    reversal.next_attempt_at = _next_try(reversal.attempts, now)
    reversal.save(update_fields=("attempts", "next_attempt_at"))
    reversal.payout = payout
    return reversal


def _reversal(reversal: TransferReversal) -> str:
    """Return the id of the reversal at Stripe, made if it is not there yet.

    Raises PaymentRefused, KeyInUse, StoredFailure, StripeUnavailable.
    """
    payout, marks = reversal.payout, {"reversal": str(reversal.pk)}
    if not payout.stripe_transfer_id:
        # Of a payment with a destination the transfer is Stripe's; now we want its id.
        payout.stripe_transfer_id = stripe_gateway.transfer_of_charge(_charge_id(payout))
        Payout.objects.filter(pk=payout.pk).update(stripe_transfer_id=payout.stripe_transfer_id)
    if reversal.attempts > 1 and (
        found := stripe_gateway.find_reversal(transfer_id=payout.stripe_transfer_id, metadata=marks)
    ):
        return found
    return stripe_gateway.reverse_transfer(
        transfer_id=payout.stripe_transfer_id,
        amount=reversal.amount,
        currency=payout.currency,
        metadata=marks,
        idempotency_key=str(reversal.idempotency_key),
    )


@transaction.atomic(durable=True)
def _record_reversal(claimed: TransferReversal, found: str) -> bool:
    payout, now = _lock(claimed.payout_id)[1], clock.now()
    waiting = payout.reversals.filter(pk=claimed.pk, completed_at__isnull=True)
    if not waiting.update(stripe_reversal_id=found, completed_at=now, error=""):
        return False
    payout.transferred -= claimed.amount
    payout.save(update_fields=("transferred",))
    payouts.settle_balance(payout, at=now)
    return True


def _record_reversal_failure(claimed: TransferReversal, **changes: object) -> None:
    TransferReversal.objects.filter(
        pk=claimed.pk, completed_at__isnull=True, idempotency_key=claimed.idempotency_key
    ).update(**changes)


def _lock(payout_id: int) -> tuple[Order, Payout]:
    order = Order.objects.locked(Payout.objects.values_list("order_id", flat=True).get(pk=payout_id))
    return order, Payout.objects.select_for_update(no_key=True).get(pk=payout_id)


def _next_try(attempts: int, now: datetime) -> datetime:
    wait: timedelta = min(_FIRST_RETRY * 2 ** min(attempts, 20), _LAST_RETRY)
    return now + wait


def _retry_fields(error: errors.PaymentRefused | errors.StripeUnavailable) -> dict[str, object]:
    """Return what a failed try leaves on its row: Stripe answers a key it has refused with the refusal for a day."""
    if isinstance(error, errors.PaymentRefused):
        code = str(error.extra.get("stripe_code") or "refused")[:100]
        return {"error": code, "idempotency_key": uuid.uuid4()}
    if isinstance(error, errors.StoredFailure):
        return {"error": _UNANSWERED, "idempotency_key": uuid.uuid4()}
    return {"error": _UNANSWERED}
