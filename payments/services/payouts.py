"""Payouts: what a seller is due of a paid order, what blocks it, and what is taken back of it.

Rows only; requests to Stripe are in services/transfers.py. Lock order: Order, Payment, Payout, User.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import transaction

from accounts.services import staff_actions
from auctioncraft.core import clock, money
from payments import errors
from payments.models import (
    Dispute,
    Order,
    OrderEvent,
    Payment,
    Payout,
    Refund,
    SellerAccount,
    SellerHold,
    TransferReversal,
)
from payments.services import holds, order_log

if TYPE_CHECKING:
    from datetime import datetime

    from accounts.models import User

DISPUTED: Final = "disputed"
NOT_ONBOARDED: Final = "not_onboarded"
_SETTLED: Final = (Payout.Status.PAID, Payout.Status.OUTSIDE)


def split_total(order: Order) -> tuple[Decimal, Decimal]:
    """Return how an order's total is split: our fee and the seller's share.

    We keep the buyer's premium and SELLER_COMMISSION_PERCENT of the hammer price, rounded half up to what a card can
    be charged, as it is today; at most the total.
    """
    percent = settings.SELLER_COMMISSION_PERCENT
    commission = money.round_to_charge_unit(order.hammer_price * percent / 100, order.currency)
    fee = min(order.buyers_premium + commission, order.total)
    return fee, order.total - fee


def open_payout(*, order: Order, payment: Payment, at: datetime) -> Payout:
    """Open the payout of a locked order that its locked payment has just paid, at `at` (UTC).

    Stripe has passed it on if the payment had a destination, less the fee that was set then. Else a transfer is due,
    once the seller's account can take it; without Connect, staff pay it by hand. Money that was received outside Stripe
    is with the seller if they recorded it, else with us, and is paid by hand.
    """
    fee, amount = (payment.fee, order.total - payment.fee) if payment.destination else split_total(order)
    payout = Payout(order=order, seller_id=order.seller_id, currency=order.currency, gross=order.total)
    payout.fee, payout.amount, payout.created_at = fee, amount, at
    if payment.destination:
        payout.route, payout.transferred = Payout.Route.DESTINATION, amount
        payout.status, payout.paid_at = Payout.Status.PAID, at
    elif payment.recorded_by_id == order.seller_id:
        payout.route, payout.transferred, payout.status = Payout.Route.OUTSIDE, amount, Payout.Status.OUTSIDE
    else:
        by_stripe = settings.STRIPE_CONNECT and not payment.is_recorded
        payout.route = Payout.Route.TRANSFER if by_stripe else Payout.Route.MANUAL
        _set_status(payout)
    payout.save()
    if payout.status == Payout.Status.HELD:
        _record_hold(payout)
    if payout.status == Payout.Status.PAID:
        record_paid(order=order, payout=payout, amount=amount, at=at, role=OrderEvent.Role.STRIPE)
    return payout


def block(*, order: Order, why: str) -> None:
    """Block what has not reached the seller of a locked order, because of `why`; nothing if all of it has.

    What is held stays held.
    """
    if (payout := _locked(order)) and payout.status in {Payout.Status.DUE, Payout.Status.BLOCKED}:
        payout.status, payout.blocked_by = Payout.Status.BLOCKED, why
        payout.save(update_fields=("status", "blocked_by"))


def unblock(*, order: Order) -> None:
    """Unblock a locked order's payout, unless something else blocks it: another open dispute, the account.

    Called once the row of what held it back says that it is over.
    """
    if payout := _locked(order):
        refresh_status(payout)


def claw_back(
    *, order: Order, payment: Payment, amount: Decimal, at: datetime, reversed_at_stripe: bool = False
) -> TransferReversal | None:
    """Take the seller's share of `amount`, in the order's currency, which goes back to the buyer, at `at` (UTC).

    The share is proportional, rounded half up, and all of theirs once all goes back. What is not paid out yet is
    lowered by it; what is, a transfer's reversal brings back, which is returned: our refund waits for it. What was paid
    by hand is reported as owed. `reversed_at_stripe`: Stripe itself took its share back from the payment's destination,
    as with a refund of the dashboard. Order and payment are locked; surplus never was the seller's: quiet then.
    """
    payout = _locked(order)
    if payout is None or not payment.paid_its_order:
        return None
    before = payout.clawed_back
    payout.refunded_gross = min(payout.refunded_gross + amount, payout.gross)
    payout.clawed_back = _seller_share_of_refunds(payout)
    # A seller who has the buyer's money outside Stripe gives it back themselves.
    if payout.route == Payout.Route.OUTSIDE or (payout.route == Payout.Route.DESTINATION and reversed_at_stripe):
        payout.transferred = max(payout.transferred - (payout.clawed_back - before), Decimal(0))
    payout.save(update_fields=("refunded_gross", "clawed_back", "transferred"))
    made = settle_balance(payout, at=at)
    return made or (payout.reversals.pending().first() if payout.owed < 0 else None)


def restore(*, order: Order, payment: Payment, amount: Decimal, reversal: TransferReversal | None = None) -> None:
    """Undo `claw_back` of what came to nothing, a refund or a lost dispute: the buyer has `amount` no more.

    `reversal`: what the refund waited for. What Stripe was asked to bring back by then is owed to the seller again, and
    is paid by hand.
    """
    payout = _locked(order)
    if payout is None or not payment.paid_its_order:
        return
    payout.refunded_gross = max(payout.refunded_gross - amount, Decimal(0))
    payout.clawed_back = _seller_share_of_refunds(payout)
    if payout.route == Payout.Route.OUTSIDE:
        payout.transferred = payout.amount - payout.clawed_back
    payout.save(update_fields=("refunded_gross", "clawed_back", "transferred"))
    unsent = payout.reversals.pending().filter(last_attempt_at__isnull=True)
    waiting = Refund.objects.pending().filter(reversal__payout=payout)
    own = unsent.filter(pk=reversal.pk) if reversal else unsent.filter(refunds__isnull=True)
    own.exclude(pk__in=waiting.values("reversal")).update(canceled_at=clock.now())
    settle_balance(payout, at=clock.now())


def settle_balance(payout: Payout, *, at: datetime) -> TransferReversal | None:
    """Bring a locked payout to what its amounts say `at`, UTC.

    Of a paid one, ask back what the seller has too much, and return that reversal.
    """
    if payout.status not in _SETTLED:
        refresh_status(payout)
    elif payout.route in {Payout.Route.DESTINATION, Payout.Route.TRANSFER}:
        asked = sum(payout.reversals.pending().values_list("amount", flat=True), Decimal(0))
        if (too_much := -payout.owed - asked) > 0:
            made: TransferReversal = TransferReversal.objects.create(payout=payout, amount=too_much, created_at=at)
            return made
    return None


def refresh_status(payout: Payout) -> None:
    """Write whether a locked payout, unless it is paid, is due, held, blocked or void, as things are now."""
    if payout.status in _SETTLED:
        return
    was = payout.status
    _set_status(payout)
    payout.save(update_fields=("status", "blocked_by"))
    if was != payout.status and Payout.Status.HELD in {was, payout.status}:
        _record_hold(payout)


@transaction.atomic
def mark_paid_by_hand(*, payout_id: int, actor: User, note: str) -> Payout:
    """Record that staff have paid the seller what they are owed, outside Stripe; return the payout.

    `note`: how, and where to find it; staff give one.

    Also to one who has no account that could take it, of a transfer that Stripe refused, and of what is owed again
    after a refund failed. Never of what is or may be requested from Stripe, nor of what is held.
    Raises PermissionDenied, ConflictOfInterest, Invalid, PayoutNotDue, PayoutsHeld.
    """
    order = Order.objects.locked(Payout.objects.values_list("order_id", flat=True).get(pk=payout_id))
    payout = Payout.objects.select_for_update(no_key=True).get(pk=payout_id)
    order_log.check_staff(user=actor, order=order)
    note = staff_actions.check_reason(note)
    refresh_status(payout)
    if payout.status == Payout.Status.HELD:
        raise errors.PayoutsHeld
    if (
        payout.owed <= 0
        or payout.transfer_pending is not None
        or payout.blocked_by == DISPUTED
        or _will_be_transferred(payout)
    ):
        raise errors.PayoutNotDue
    amount, now = payout.owed, clock.now()
    if payout.status != Payout.Status.PAID:
        payout.route, payout.status, payout.paid_at = Payout.Route.MANUAL, Payout.Status.PAID, now
    payout.transferred, payout.paid_by = payout.transferred + amount, actor
    payout.blocked_by = payout.last_error = ""
    payout.save(update_fields=("route", "status", "paid_at", "transferred", "paid_by", "blocked_by", "last_error"))
    record_paid(order=order, payout=payout, amount=amount, at=now, role=OrderEvent.Role.STAFF, actor=actor, note=note)
    return payout


def is_paid_by_hand(*, order: Order) -> bool:
    """Return whether staff have paid the seller of a locked order, so that a refund would come from our own money."""
    return Payout.objects.filter(order=order, route=Payout.Route.MANUAL, status=Payout.Status.PAID).exists()


def record_paid(
    *,
    order: Order,
    payout: Payout,
    amount: Decimal,
    at: datetime,
    role: OrderEvent.Role = OrderEvent.Role.SYSTEM,
    actor: User | None = None,
    note: str = "",
) -> None:
    """Write into the history of a locked order that `amount` has reached its seller."""
    order_log.record(
        order=order,
        kind=OrderEvent.Kind.PAID_OUT,
        at=at,
        role=role,
        actor=actor,
        amount=money.to_text(amount, payout.currency),
        currency=payout.currency,
        route=str(payout.route),
        **({"note": note} if note else {}),
    )


def _locked(order: Order) -> Payout | None:
    payout: Payout | None = Payout.objects.select_for_update(no_key=True).filter(order=order).first()
    return payout


def _seller_share_of_refunds(payout: Payout) -> Decimal:
    """Return the seller's share of what the buyer got back."""
    # Exact at the end: the last refund takes the rest.
    if payout.refunded_gross == payout.gross:
        return Decimal(payout.amount)
    return money.round_half_up(payout.amount * payout.refunded_gross / payout.gross, payout.currency)


def _set_status(payout: Payout) -> None:
    payout.blocked_by = ""
    if payout.owed <= 0:
        payout.status = Payout.Status.VOID
    elif holds.lock_and_check(seller_id=payout.seller_id):
        payout.status = Payout.Status.HELD
    elif why := _blocking_reason(payout):
        payout.status, payout.blocked_by = Payout.Status.BLOCKED, why
    else:
        payout.status = Payout.Status.DUE


def _record_hold(payout: Payout) -> None:
    """Write into the history of a locked payout's order that it is held, or released, and who decided."""
    hold = SellerHold.objects.filter(seller_id=payout.seller_id).latest("pk")
    held = payout.status == Payout.Status.HELD
    if not held and payout.status == Payout.Status.VOID:
        return  # refunded: nobody has released it
    actor = hold.held_by if held else hold.released_by
    order_log.record(
        order=payout.order,
        kind=OrderEvent.Kind.PAYOUT_HELD if held else OrderEvent.Kind.PAYOUT_RELEASED,
        at=clock.now(),
        role=OrderEvent.Role.STAFF if actor else OrderEvent.Role.SYSTEM,
        actor=actor,
        note=hold.reason if held else hold.release_reason,
    )


def _blocking_reason(payout: Payout) -> str:
    if _is_disputed(payout):
        return DISPUTED
    if payout.route == Payout.Route.TRANSFER and settings.STRIPE_CONNECT:
        account = SellerAccount.objects.filter(user_id=payout.seller_id).first()
        return "" if account and account.can_receive_payouts else NOT_ONBOARDED
    return ""


def _will_be_transferred(payout: Payout) -> bool:
    """Whether the job will transfer it."""
    due = payout.route == Payout.Route.TRANSFER and payout.status == Payout.Status.DUE
    return due and not payout.last_error and bool(settings.STRIPE_CONNECT)


def _is_disputed(payout: Payout) -> bool:
    # Of the payment that paid the order: what was surplus never was the seller's.
    paid = {"payment__order_id": payout.order_id, "payment__status": Payment.Status.SUCCEEDED}
    return Dispute.objects.filter(**paid, closed_at__isnull=True).exists()
