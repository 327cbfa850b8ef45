"""Transfers to sellers and their reversals: what the payouts say is requested from Stripe, and its answer recorded.

Each is one request of services/stripe_request.py, made by a job. After the first attempt the transfer or reversal is
looked for at Stripe before it is requested again: Stripe forgets a key after a day.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from auctioncraft.core import clock, retry
from payments import errors, stripe_gateway
from payments.models import Order, Payment, Payout, Refund, SellerAccount, TransferReversal
from payments.services import held_payouts, payouts, refund_sync, stripe_request

if TYPE_CHECKING:
    from django.db.models import QuerySet

# Between our clock and Stripe's.
_CLOCK_SKEW: Final = timedelta(hours=1)


def send_due() -> int:
    """Hold and release, then make the transfers and then the reversals that are due; return how many. A job."""
    held_payouts.apply()
    return send_due_transfers() + send_due_reversals()


def send_due_transfers() -> int:
    """Transfer to sellers what they are due; return how many transfers were made or found to be not due."""
    return retry.process_due(_pending_transfers(), _transfer, policy=stripe_request.ENDLESS)


def send_due_reversals() -> int:
    """Take back from sellers what they have too much; return how many reversals were made."""
    return retry.process_due(TransferReversal.objects.pending(), _reverse, policy=stripe_request.ENDLESS)


def reverse_now(*, reversal_id: int) -> None:
    """Ask Stripe for a reversal for a caller who waits; quiet if it was made or refused.

    Raises StripeUnavailable; `send_due` asks again.
    """
    with suppress(errors.PaymentRefused):
        retry.attempt_now(TransferReversal.objects.pending(), reversal_id, _reverse, policy=stripe_request.ENDLESS)


def _pending_transfers() -> QuerySet[Payout]:
    able = Q(seller__seller_account__transfers_active=True, seller__seller_account__payouts_enabled=True)
    due = Q(status=Payout.Status.DUE) | Q(able, status=Payout.Status.BLOCKED, blocked_by=payouts.NOT_ONBOARDED)
    wanted = Q(transfer_pending__isnull=False) | (due if settings.STRIPE_CONNECT else Q(pk__in=()))
    pending: QuerySet[Payout] = Payout.objects.filter(wanted, route=Payout.Route.TRANSFER)
    return pending


def _transfer(payout: Payout) -> None:
    if claimed := _claim(payout):
        stripe_request.send(
            claim=lambda: claimed,
            ask=_find_or_create_transfer,
            record=_record_transfer,
            change=lambda _payout, _refusal: {"transfer_pending": None},
            rounds=1,
        )


@transaction.atomic(durable=True)
def _claim(leased: Payout) -> Payout | None:
    """Return the payout with what to transfer, or what may have been transferred; None if nothing is due now."""
    _, payout = _lock(leased.pk)
    if payout.status == Payout.Status.PAID:
        return None
    payouts.refresh_status(payout)
    if payout.transfer_pending is None:
        if payout.status != Payout.Status.DUE:
            return None
        payout.transfer_pending, payout.transfer_requested_at = payout.owed, clock.now()
        payout.save(update_fields=("transfer_pending", "transfer_requested_at"))
    payout.was_attempted = leased.was_attempted
    return payout


def _find_or_create_transfer(payout: Payout) -> str:
    """Return the id of the payout's transfer at Stripe; empty if there is none and it is not due any more."""
    account = SellerAccount.objects.values_list("stripe_account_id", flat=True).filter(user_id=payout.seller_id).first()
    metadata = {"payout": str(payout.pk), "order": str(payout.order_id)}
    if payout.was_attempted:
        since = payout.created_at - _CLOCK_SKEW
        found = stripe_gateway.find_transfer(destination=account or "", since=since, metadata=metadata)
        if found or payout.status != Payout.Status.DUE:
            return found
    return stripe_gateway.create_transfer(
        amount=payout.transfer_pending or payout.owed,
        currency=payout.currency,
        destination=account or "",
        charge_id=_charge_id(payout),
        metadata=metadata,
        idempotency_key=str(payout.idempotency_key),
    )


def _charge_id(payout: Payout) -> str:
    paid = Payment.objects.get(order_id=payout.order_id, status=Payment.Status.SUCCEEDED)
    return stripe_gateway.retrieve_intent(paid.stripe_intent_id or "").charge_id


@transaction.atomic(durable=True)
def _record_transfer(claimed: Payout, transfer_id: str) -> Payout:
    order, payout = _lock(claimed.pk)
    if not transfer_id:
        stripe_request.replace_key(claimed, transfer_pending=None)
    elif payout.transfer_pending is not None:
        amount, now = payout.transfer_pending, clock.now()
        payout.transferred, payout.transfer_pending = payout.transferred + amount, None
        payout.stripe_transfer_id, payout.blocked_by, payout.last_error = transfer_id, "", ""
        payout.status, payout.paid_at = Payout.Status.PAID, now
        payout.save(
            update_fields=(
                *("transferred", "transfer_pending", "stripe_transfer_id", "blocked_by", "last_error"),
                *("status", "paid_at"),
            )
        )
        payouts.record_paid(order=order, payout=payout, amount=amount, at=now)
        # A refund may have been requested meanwhile: now it waits for its share of this transfer.
        if reversal := payouts.settle_balance(payout, at=now):
            waiting = Refund.objects.pending().filter(reversal=None, last_attempt_at=None, payment__order=order)
            waiting.filter(payment__status=Payment.Status.SUCCEEDED).update(reversal=reversal)
    return payout


def _reverse(reversal: TransferReversal) -> None:
    if claimed := _claim_reversal(reversal):
        try:
            stripe_request.send(claim=lambda: claimed, ask=_find_or_create_reversal, record=_record_reversal, rounds=1)
        except errors.PaymentRefused:
            _fail_refunds(claimed)
            raise


@transaction.atomic(durable=True)
def _claim_reversal(leased: TransferReversal) -> TransferReversal | None:
    """Return the reversal with its payout, read under the payout's lock; None if it was made or withdrawn."""
    _, payout = _lock(leased.payout_id)
    reversal = payout.reversals.pending().filter(pk=leased.pk).first()
    if reversal is None:
        return None
    reversal.payout, reversal.was_attempted = payout, leased.was_attempted
    return reversal


def _find_or_create_reversal(reversal: TransferReversal) -> str:
    """Return the id of the reversal at Stripe."""
    payout, metadata = reversal.payout, {"reversal": str(reversal.pk)}
    if not payout.stripe_transfer_id:
        # Stripe made the transfer of a payment with a destination; its id is needed only now.
        payout.stripe_transfer_id = stripe_gateway.transfer_of_charge(_charge_id(payout))
        Payout.objects.filter(pk=payout.pk).update(stripe_transfer_id=payout.stripe_transfer_id)
    if reversal.was_attempted and (
        found := stripe_gateway.find_reversal(transfer_id=payout.stripe_transfer_id, metadata=metadata)
    ):
        return found
    return stripe_gateway.reverse_transfer(
        transfer_id=payout.stripe_transfer_id,
        amount=reversal.amount,
        currency=payout.currency,
        metadata=metadata,
        idempotency_key=str(reversal.idempotency_key),
    )


@transaction.atomic(durable=True)
def _record_reversal(claimed: TransferReversal, reversal_id: str) -> TransferReversal:
    _, payout = _lock(claimed.payout_id)
    now = clock.now()
    if (
        payout.reversals.pending()
        .filter(pk=claimed.pk)
        .update(stripe_reversal_id=reversal_id, completed_at=now, last_error="")
    ):
        payout.transferred -= claimed.amount
        payout.save(update_fields=("transferred",))
        payouts.settle_balance(payout, at=now)
        # Their share is back: now what waited for it goes to the buyer.
        retry.restart(claimed.refunds.pending())
    return claimed


@transaction.atomic(durable=True)
def _fail_refunds(refused: TransferReversal) -> None:
    """Fail the refunds that wait for a reversal which Stripe refuses: they would be paid out of our money.

    Then what they wanted back is the seller's again, and the reversal ends; one of a lost dispute is tried again.
    """
    order = Order.objects.locked(refused.payout.order_id)
    payment = Payment.objects.locked(order.payments.get(status=Payment.Status.SUCCEEDED).pk)
    waiting = Refund.objects.pending().filter(reversal=refused, forced_reason="").order_by("pk")
    refunds = list(waiting.select_for_update(no_key=True))
    for refund in refunds:
        refund_sync.record_failure(order=order, payment=payment, refund=refund, code=errors.PaidOut.code)
    payout = Payout.objects.select_for_update(no_key=True).get(pk=refused.payout_id)
    pending = payout.reversals.pending()
    others = sum(pending.exclude(pk=refused.pk).values_list("amount", flat=True), Decimal(0))
    if refunds and -payout.owed <= others:
        pending.filter(pk=refused.pk).update(canceled_at=clock.now())


def _lock(payout_id: int) -> tuple[Order, Payout]:
    order = Order.objects.locked(Payout.objects.values_list("order_id", flat=True).get(pk=payout_id))
    return order, Payout.objects.select_for_update(no_key=True).get(pk=payout_id)
