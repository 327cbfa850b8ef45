"""How buyers pay, or do not: through the real checkout and webhooks, with FakeStripe."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from payments.errors import NotTheWinner, OrderNotPayable, OrderPaid
from payments.models import Order, Payment
from payments.services import checkout, expiry
from simulation.scheduler import DAY, HOUR, JOB_DELAY, MICROSECOND, SECOND
from simulation.users import RELIABLE, UNRELIABLE

if TYPE_CHECKING:
    from simulation.bidders import Lot
    from simulation.scheduler import Scheduler
    from simulation.users import SimulatedUser


def schedule_payment(sim: Scheduler, lot: Lot) -> None:
    """Schedule the payment of a new order, or none, and the jobs that send reminders and expire it."""
    order = Order.objects.filter(product_id=lot.pk).latest("pk")
    # The job scheduled for another product may have closed this one just before.
    sim.check(sim.now - order.created_at <= JOB_DELAY, f"{lot}: sold without an order")
    buyer = sim.users[order.buyer_id]
    how = sim.choose(RELIABLE if buyer.is_reliable else UNRELIABLE)
    if how in {"soon", "declined first"}:
        sim.within(10 * SECOND, 60 * HOUR, _pay, sim, lot, order, how == "declined first")
    elif how == "in the last hour":
        sim.at(order.due_at - sim.between(MICROSECOND, HOUR), _pay, sim, lot, order, False)
    elif how == "after it is due":
        sim.at(order.due_at, _pay, sim, lot, order, False)
    elif how == "by bank debit":
        sim.within(HOUR, 90 * HOUR, _pay_by_debit, sim, lot, order)
    elif how != "never":
        sim.within(HOUR, 90 * HOUR, _open_checkout, sim, lot, order, how == "too late")
    for after in expiry.REMINDER_DELAYS:
        sim.at(order.created_at + after + sim.between(timedelta(0), SECOND), _run_reminders, sim, order)
    sim.at(order.due_at + sim.between(MICROSECOND, JOB_DELAY), _run_expiry, sim, lot, order)


def _intent(lot: Lot, buyer: SimulatedUser, key: str | None = None) -> str:
    """Open the checkout; return the ID of the intent."""
    opened = checkout.create_payment_intent(product_id=lot.pk, user_id=buyer.pk, idempotency_key=key)
    return opened.intent.id


def _pay(sim: Scheduler, lot: Lot, order: Order, declined_first: bool) -> None:  # noqa: FBT001 (actions take positional arguments)
    buyer = sim.users[order.buyer_id]
    if sim.chance(0.1):
        with sim.expect_refusal(NotTheWinner):
            _intent(lot, lot.seller)
    intent_id = _intent(lot, buyer)
    if sim.chance(0.1):
        sim.check(_intent(lot, buyer) == intent_id, f"{order}: two intents")
    if declined_first:
        sim.fake_stripe.decline(intent_id)
        sim.fake_stripe.deliver_event(intent_id, "payment_failed")
        sim.counts["declined"] += 1
    sim.check(sim.fake_stripe.pay(intent_id), f"{order}: its live intent was canceled")
    if sim.chance(0.8):
        event = sim.fake_stripe.deliver_event(intent_id, "succeeded")
        sim.check(event.flag == "", f"{order}: paid in time, and flagged {event.flag}")
        if sim.chance(0.2):
            sim.fake_stripe.redeliver(event)
            sim.fake_stripe.deliver_event(intent_id, "succeeded")
    with sim.expect_refusal(OrderPaid):  # also if the event was lost: the checkout asks Stripe
        _intent(lot, buyer)
    order.refresh_from_db()
    sim.check(order.status == Order.Status.PAID and order.paid_at == sim.now, f"{order} is {order.status}, and paid")
    sim.counts["paid"] += 1


def _open_checkout(sim: Scheduler, lot: Lot, order: Order, pay_too_late: bool) -> None:  # noqa: FBT001
    """Open the checkout without paying; perhaps pay after the order has expired."""
    intent_id = _intent(lot, sim.users[order.buyer_id], f"simulated-order-{order.pk}")
    if pay_too_late:
        sim.at(order.due_at + sim.between(JOB_DELAY, 3 * HOUR), _pay_too_late, sim, lot, order, intent_id)


def _pay_by_debit(sim: Scheduler, lot: Lot, order: Order) -> None:
    """Pay by bank debit, which succeeds or fails within weeks."""
    intent_id = _intent(lot, sim.users[order.buyer_id])
    sim.fake_stripe.start_debit(intent_id)
    sim.fake_stripe.deliver_event(intent_id, "processing")
    sim.within(HOUR, 20 * DAY, _finish_debit, sim, order, intent_id)


def _finish_debit(sim: Scheduler, order: Order, intent_id: str) -> None:
    """Let the debit succeed or fail; money for an expired order is surplus."""
    order.refresh_from_db()
    sim.check(order.status != Order.Status.PAID, f"{order} is paid before the debit succeeded")
    if sim.chance(0.3):
        sim.fake_stripe.fail_debit(intent_id)
        sim.fake_stripe.deliver_event(intent_id, "payment_failed")
        return
    sim.fake_stripe.pay(intent_id)
    if order.status == Order.Status.AWAITING_PAYMENT and sim.chance(0.3):
        return  # the event is lost: the job asks Stripe
    sim.fake_stripe.deliver_event(intent_id, "succeeded")
    came, late = Payment.objects.get(stripe_intent_id=intent_id).status, order.status == Order.Status.EXPIRED
    due = Payment.Status.SURPLUS if late else Payment.Status.SUCCEEDED
    sim.check(came == due, f"the payment of {order}, {order.status} at the time, is {came}")
    sim.counts["money too late"] += late


def _pay_too_late(sim: Scheduler, lot: Lot, order: Order, intent_id: str) -> None:
    """Pay an expired order: if Stripe accepts it, the money is surplus and flagged."""
    with sim.expect_refusal(OrderNotPayable):
        _intent(lot, sim.users[order.buyer_id])
    if sim.fake_stripe.pay(intent_id):
        event = sim.fake_stripe.deliver_event(intent_id, "succeeded")
        payment = Payment.objects.get(stripe_intent_id=intent_id)
        sim.check(event.flag and payment.status == Payment.Status.SURPLUS, f"{payment} of {order}: {payment.status}")
        sim.counts["money too late"] += 1


def _run_reminders(sim: Scheduler, order: Order) -> None:
    sim.counts["reminders"] += expiry.remind_due()
    order.refresh_from_db()
    whole = sum(sim.now >= order.created_at + after for after in expiry.REMINDER_DELAYS)
    waits = order.status == Order.Status.AWAITING_PAYMENT
    sim.check(not waits or order.reminders_sent == whole, f"{order}: reminded {order.reminders_sent} times of {whole}")


def _run_expiry(sim: Scheduler, lot: Lot, order: Order) -> None:
    """Run the job that expires orders; schedule it again while a debit is processing."""
    expiry.expire_due()
    order.refresh_from_db()
    if order.status == Order.Status.AWAITING_PAYMENT:
        # A debit that has just ended is asked about within the hour.
        asked = order.payments.live().filter(next_attempt_at__gt=sim.now).first()
        waits = asked is not None and sim.now < order.due_at + expiry.PROCESSING_GRACE
        sim.check(waits, f"{order} awaits payment after it was due")
        sim.at(sim.now + HOUR, _run_expiry, sim, lot, order)
    if order.status == Order.Status.EXPIRED:
        sim.counts["expired"] += 1
        sim.publish("defaulted", lot)
        if sim.chance(0.5):
            sim.within(SECOND, HOUR, _cancel_stale_intents)


def _cancel_stale_intents() -> None:
    expiry.cancel_stale_intents()
