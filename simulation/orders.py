"""How buyers pay, or don't: through the checkout and webhooks of production, at the simulation's till."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from payments.errors import NotTheWinner, OrderNotPayable, OrderPaid
from payments.models import Order, Payment
from payments.services import checkout, expiry
from simulation.scheduler import DAY, HOUR, MICROSECOND, SECOND, SWEPT_WITHIN
from simulation.users import CARELESS, HONEST

if TYPE_CHECKING:
    from simulation.bidders import Lot
    from simulation.scheduler import Stage
    from simulation.users import Person


def follow_order(stage: Stage, lot: Lot) -> None:
    """Have the buyer of a product that was just sold pay its order, or not, and the worker remind and expire."""
    order = Order.objects.filter(product_id=lot.pk).latest("pk")
    # Another product's sweep may have closed this one just before.
    stage.hold(stage.now - order.created_at <= SWEPT_WITHIN, f"{lot}: sold without an order")
    buyer = stage.people[order.buyer_id]
    how = stage.choose(HONEST if buyer.honest else CARELESS)
    if how in {"soon", "declined first"}:
        stage.within(10 * SECOND, 60 * HOUR, _pay, stage, lot, order, how == "declined first")
    elif how == "in the last hour":
        stage.at(order.due_at - stage.between(MICROSECOND, HOUR), _pay, stage, lot, order, False)
    elif how == "after it is due":
        stage.at(order.due_at, _pay, stage, lot, order, False)
    elif how == "by bank debit":
        stage.within(HOUR, 90 * HOUR, _debit, stage, lot, order)
    elif how != "never":
        stage.within(HOUR, 90 * HOUR, _open, stage, lot, order, how == "too late")
    for after in expiry.REMINDER_DELAYS:
        stage.at(order.created_at + after + stage.between(timedelta(0), SECOND), _remind, stage, order)
    stage.at(order.due_at + stage.between(MICROSECOND, SWEPT_WITHIN), _expire, stage, lot, order)


def _intent(lot: Lot, buyer: Person, key: str | None = None) -> str:
    """Open the checkout; return the intent's id."""
    opened = checkout.create_payment_intent(product_id=lot.pk, user_id=buyer.pk, idempotency_key=key)
    return opened.payment_intent_id


def _pay(stage: Stage, lot: Lot, order: Order, declined_first: bool) -> None:  # noqa: FBT001 (an act's arguments are plain)
    buyer = stage.people[order.buyer_id]
    if stage.chance(0.1):
        with stage.refused(NotTheWinner):
            _intent(lot, lot.seller)
    intent_id = _intent(lot, buyer)
    if stage.chance(0.1):
        stage.hold(_intent(lot, buyer) == intent_id, f"{order}: two intents")
    if declined_first:
        stage.till.decline(intent_id)
        stage.till.tell(intent_id, "payment_failed")
        stage.counts["declined"] += 1
    stage.hold(stage.till.pay(intent_id), f"{order}: its live intent was canceled")
    if stage.chance(0.8):
        event = stage.till.tell(intent_id, "succeeded")
        stage.hold(event.flag == "", f"{order}: paid in time, and flagged {event.flag}")
        if stage.chance(0.2):
            stage.till.again(event)
            stage.till.tell(intent_id, "succeeded")
    with stage.refused(OrderPaid):  # also where the event was lost: the checkout looks
        _intent(lot, buyer)
    order.refresh_from_db()
    stage.hold(order.status == Order.Status.PAID and order.paid_at == stage.now, f"{order} is {order.status}, and paid")
    stage.counts["paid"] += 1


def _open(stage: Stage, lot: Lot, order: Order, pay_too_late: bool) -> None:  # noqa: FBT001
    """Open the checkout and leave it; perhaps to pay when the order has expired."""
    intent_id = _intent(lot, stage.people[order.buyer_id], f"simulated-order-{order.pk}")
    if pay_too_late:
        stage.at(order.due_at + stage.between(SWEPT_WITHIN, 3 * HOUR), _pay_too_late, stage, lot, order, intent_id)


def _debit(stage: Stage, lot: Lot, order: Order) -> None:
    """Pay from a bank account: the money comes within weeks, or not, and mostly one hears of it."""
    intent_id = _intent(lot, stage.people[order.buyer_id])
    stage.till.debit(intent_id)
    stage.till.tell(intent_id, "processing")
    stage.within(HOUR, 20 * DAY, _settle, stage, order, intent_id)


def _settle(stage: Stage, order: Order, intent_id: str) -> None:
    """Let the bank pay or not: what the order cannot take any more is surplus."""
    order.refresh_from_db()
    stage.hold(order.status != Order.Status.PAID, f"{order} is paid before its money came")
    if stage.chance(0.3):
        stage.till.bounce(intent_id)
        stage.till.tell(intent_id, "payment_failed")
        return
    stage.till.pay(intent_id)
    if order.status == Order.Status.AWAITING_PAYMENT and stage.chance(0.3):
        return  # its event is lost: the sweep looks
    stage.till.tell(intent_id, "succeeded")
    came, late = Payment.objects.get(stripe_intent_id=intent_id).status, order.status == Order.Status.EXPIRED
    due = Payment.Status.SURPLUS if late else Payment.Status.SUCCEEDED
    stage.hold(came == due, f"the money of {order}, then {order.status}, is {came}")
    stage.counts["money too late"] += late


def _pay_too_late(stage: Stage, lot: Lot, order: Order, intent_id: str) -> None:
    """Pay what has expired: where Stripe still takes it, the money is kept as surplus and flagged."""
    with stage.refused(OrderNotPayable):
        _intent(lot, stage.people[order.buyer_id])
    if stage.till.pay(intent_id):
        event = stage.till.tell(intent_id, "succeeded")
        payment = Payment.objects.get(stripe_intent_id=intent_id)
        stage.hold(event.flag and payment.status == Payment.Status.SURPLUS, f"{payment} of {order}: {payment.status}")
        stage.counts["money too late"] += 1


def _remind(stage: Stage, order: Order) -> None:
    stage.counts["reminders"] += expiry.remind_due()
    order.refresh_from_db()
    whole = sum(stage.now >= order.created_at + after for after in expiry.REMINDER_DELAYS)
    waits = order.status == Order.Status.AWAITING_PAYMENT
    stage.hold(not waits or order.reminders_sent == whole, f"{order}: reminded {order.reminders_sent} times of {whole}")


def _expire(stage: Stage, lot: Lot, order: Order) -> None:
    """Sweep, a little after the order is due, and again while a bank is about to pay it."""
    expiry.expire_due()
    order.refresh_from_db()
    if order.status == Order.Status.AWAITING_PAYMENT:
        # One whose bank has just paid or not is asked about within the hour.
        asked = order.payments.live().filter(cancel_tried_at__gt=stage.now - HOUR).first()
        waits = asked is not None and stage.now < order.due_at + expiry.PROCESSING_GRACE
        stage.hold(waits, f"{order} awaits payment past its time")
        stage.at(stage.now + HOUR, _expire, stage, lot, order)
    if order.status == Order.Status.EXPIRED:
        stage.counts["expired"] += 1
        stage.tell("fell_through", lot)
        if stage.chance(0.5):
            stage.within(SECOND, HOUR, _cancel_leftovers)


def _cancel_leftovers() -> None:
    expiry.cancel_stale_intents()
