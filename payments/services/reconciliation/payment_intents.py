"""PaymentIntents: sync our payments with Stripe's, and handle those that we do not know."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db import transaction

from auctioncraft.core import clock
from payments import errors, stripe_gateway
from payments.models import Order, OrderEvent, Payment
from payments.services import checkout, payment_sync

if TYPE_CHECKING:
    from payments.services.reconciliation.report import Report
    from payments.stripe_gateway import Intent

# A checkout that is still waiting for Stripe's answer is left alone for so long ...
_IN_FLIGHT: Final = timedelta(minutes=2)
# ... and so long Stripe knows its key: https://docs.stripe.com/api/idempotent_requests
_KEY_LASTS: Final = timedelta(hours=23)


def compare(report: Report) -> None:
    """Compare every PaymentIntent since `since`, and those of all live payments, with ours."""
    seen = set()
    for page in report.pages(stripe_gateway.list_intents(since=report.since)):
        # Read after Stripe was: ours is never the older of the two.
        ours = {
            each.stripe_intent_id: each
            for each in Payment.objects.filter(stripe_intent_id__in=[intent.id for intent in page])
        }
        for intent in page:
            report.counts["intents"] += 1
            if payment := ours.get(intent.id):
                seen.add(payment.pk)
                _compare(report, payment, intent)
            else:
                _handle_unknown_intent(report, intent)
    live = Payment.objects.live().select_related("order").order_by("pk")
    for payments in report.pages(live.exclude(stripe_intent_id=None)):
        for payment in payments:
            if payment.pk not in seen:
                report.counts["intents"] += 1
                _compare_older(report, payment)
    for payment in list(live.filter(stripe_intent_id=None)):
        _retry_creation(report, payment)


def _compare_older(report: Report, payment: Payment) -> None:
    try:
        intent = stripe_gateway.retrieve_intent(str(payment.stripe_intent_id))
    except errors.StripeObjectMissing:
        # Not fixed: with another account's key no payment would be found.
        report.add_difference(
            f"payment {payment.pk} may still be paid, and Stripe knows no such intent", str(payment.stripe_intent_id)
        )
    else:
        _compare(report, payment, intent)


def _compare(report: Report, payment: Payment, intent: Intent) -> None:
    came = payment.received is not None
    text = f"payment {payment.pk} is {payment.status}, and its intent {intent.status}"
    if came and intent.status != "succeeded":
        # We may have heard of it since Stripe was asked.
        if stripe_gateway.retrieve_intent(intent.id).status != "succeeded":
            report.add_difference(text, intent.id)
        return
    is_over = payment.status == Payment.Status.CANCELED
    heard = came or (is_over if intent.status == "canceled" else intent.status != "succeeded")
    if heard and not (is_over and intent.status.startswith("requires_")):
        return
    if not report.fix:
        report.add_difference(text, intent.id)
    elif not heard:
        if sync_payment(payment.pk, intent) == "wrong_mode":
            report.add_difference(f"{text}, in the other mode", intent.id)
        report.counts["payments_fixed"] += 1
    else:
        _cancel(report, intent, f"{text}: it could still be paid")


@transaction.atomic(durable=True)
def sync_payment(payment_id: int, intent: Intent) -> str:
    """Bring a payment forward to what Stripe says of its intent. Returns a flag for staff, or nothing."""
    order, payment = payment_sync.lock(payment_id=payment_id, intent=intent)
    return payment_sync.apply(order=order, payment=payment, intent=intent)


def _handle_unknown_intent(report: Report, intent: Intent) -> None:
    """Adopt, cancel or report an intent that no payment has."""
    payment = _find_payment(intent)
    if payment is None:
        report.counts["intents_of_others"] += 1  # the balance transactions show whether it was paid
        return
    has = payment.stripe_intent_id or "none"
    text = f"an intent for payment {payment.pk} is {intent.status}, and the payment has {has}"
    is_its_own = payment.status == Payment.Status.CREATING and intent.is_for(payment.amount, payment.currency)
    if intent.status == "canceled":
        return
    if not report.fix:
        report.add_difference(text, intent.id)
    elif is_its_own and _adopt(payment, intent):
        report.counts["payments_fixed"] += 1
    elif intent.status.startswith("requires_"):
        _cancel(report, intent, text)
    else:
        report.add_difference(text, intent.id)


def _find_payment(intent: Intent) -> Payment | None:
    """Return the payment that an intent was made for, by what we write on each; nothing is believed paid by it."""
    numbers = [intent.metadata.get(name, "") for name in ("payment", "order", "product")]
    if not all(each.isascii() and each.isdigit() and len(each) <= 18 for each in numbers):
        return None
    pk, order, product = numbers
    return Payment.objects.filter(pk=pk, order_id=order, order__product_id=product).first()


@transaction.atomic(durable=True)
def _adopt(made_for: Payment, intent: Intent) -> bool:
    """Give a payment the intent that was made for it, whose id we never heard; False if it has got another."""
    order, payment = payment_sync.lock(payment_id=made_for.pk, intent=intent)
    if payment.status != Payment.Status.CREATING:
        return False
    payment.stripe_intent_id, payment.status = intent.id, Payment.Status.OPEN
    payment.save(update_fields=("stripe_intent_id", "status"))
    payment_sync.apply(order=order, payment=payment, intent=intent)
    return True


def _cancel(report: Report, intent: Intent, text: str) -> None:
    """Cancel an intent that no payment waits for."""
    try:
        stripe_gateway.cancel_intent(intent.id)
    except errors.PaymentRefused:
        report.add_difference(text, intent.id)
    else:
        report.counts["intents_canceled"] += 1


def _retry_creation(report: Report, payment: Payment) -> None:
    """Ask Stripe once more, with the same key, for an intent whose id we never heard."""
    age = clock.now() - payment.created_at
    if not _IN_FLIGHT < age < _KEY_LASTS or payment.order.status != Order.Status.AWAITING_PAYMENT:
        return
    if not report.fix:
        report.add_difference(f"payment {payment.pk} waits for Stripe's answer since {payment.created_at}")
        return
    try:
        checkout.open_intent(find_order=lambda: payment.order_id, role=OrderEvent.Role.SYSTEM)
    except (errors.OrderPaid, errors.OrderNotPayable, errors.AmountNotChargeable, errors.PaymentRefused) as refusal:
        report.counts[f"refused: {refusal.code}"] += 1
    else:
        report.counts["payments_fixed"] += 1
