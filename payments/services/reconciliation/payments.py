"""PaymentIntents: ours brought forward to what Stripe says of them, and those of ours that we know nothing of."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db import transaction

from auctioncraft import clock
from payments import errors, stripe_gateway
from payments.models import Order, OrderEvent, Payment
from payments.services import checkout, intents

if TYPE_CHECKING:
    from payments.services.reconciliation.findings import Findings
    from payments.stripe_gateway import Intent

# A checkout that is still waiting for Stripe's answer is left alone for so long ...
_IN_FLIGHT: Final = timedelta(minutes=2)
# ... and so long Stripe knows its key: https://docs.stripe.com/api/idempotent_requests
_KEY_LASTS: Final = timedelta(hours=23)


def compare(findings: Findings) -> None:
    """Compare every PaymentIntent since `since`, and those of all live payments, with ours."""
    seen = set()
    for page in findings.pages(stripe_gateway.list_intents(since=findings.since)):
        # Read after Stripe was: ours is never the older of the two.
        ours = {each.intent_id: each for each in Payment.objects.filter(intent_id__in=[intent.id for intent in page])}
        for intent in page:
            findings.counts["intents"] += 1
            if payment := ours.get(intent.id):
                seen.add(payment.pk)
                _compare(findings, payment, intent)
            else:
                _look_at_stray(findings, intent)
    live = Payment.objects.live().select_related("order").order_by("pk")
    for payments in findings.pages(live.exclude(intent_id=None)):
        for payment in payments:
            if payment.pk not in seen:
                findings.counts["intents"] += 1
                _compare_older(findings, payment)
    for payment in list(live.filter(intent_id=None)):
        _ask_again(findings, payment)


def _compare_older(findings: Findings, payment: Payment) -> None:
    try:
        intent = stripe_gateway.retrieve_intent(str(payment.intent_id))
    except errors.NotAtStripe:
        # Not put right: with the key of another account nothing of ours would be there.
        findings.differ(
            f"payment {payment.pk} may still be paid, and Stripe knows no such intent", str(payment.intent_id)
        )
    else:
        _compare(findings, payment, intent)


def _compare(findings: Findings, payment: Payment, intent: Intent) -> None:
    came = payment.received is not None
    text = f"payment {payment.pk} is {payment.status}, and its intent {intent.status}"
    if came and intent.status != "succeeded":
        # We may have heard of it since Stripe was asked.
        if stripe_gateway.retrieve_intent(intent.id).status != "succeeded":
            findings.differ(text, intent.id)
        return
    is_over = payment.status == Payment.Status.CANCELED
    heard = came or (is_over if intent.status == "canceled" else intent.status != "succeeded")
    if heard and not (is_over and intent.status.startswith("requires_")):
        return
    if not findings.mend:
        findings.differ(text, intent.id)
    elif not heard:
        if bring_forward(payment.pk, intent) == "wrong_mode":
            findings.differ(f"{text}, in the other mode", intent.id)
        findings.counts["payments_mended"] += 1
    else:
        _cancel(findings, intent, f"{text}: it could still be paid")


@transaction.atomic(durable=True)
def bring_forward(payment_id: int, intent: Intent) -> str:
    """Bring a payment forward to what Stripe says of its intent. Returns a flag for staff, or nothing."""
    order, payment = intents.lock(payment_id=payment_id, intent=intent)
    return intents.apply(order=order, payment=payment, intent=intent)


def _look_at_stray(findings: Findings, intent: Intent) -> None:
    """Deal with an intent that none of our payments has: adopt it, cancel it, or tell of it."""
    payment = _made_for(intent)
    if payment is None:
        findings.counts["intents_of_others"] += 1  # was it paid, the books tell
        return
    text = f"an intent for payment {payment.pk} is {intent.status}, and the payment has {payment.intent_id or 'none'}"
    is_its_own = payment.status == Payment.Status.CREATING and intent.charges(payment.amount, payment.currency)
    if intent.status == "canceled":
        return
    if not findings.mend:
        findings.differ(text, intent.id)
    elif is_its_own and _adopt(payment, intent):
        findings.counts["payments_mended"] += 1
    elif intent.status.startswith("requires_"):
        _cancel(findings, intent, text)
    else:
        findings.differ(text, intent.id)


def _made_for(intent: Intent) -> Payment | None:
    """Return the payment that an intent was made for, by what we write on each; nothing is believed paid by it."""
    numbers = [intent.metadata.get(name, "") for name in ("payment", "order", "product")]
    if not all(each.isascii() and each.isdigit() and len(each) <= 18 for each in numbers):
        return None
    pk, order, product = numbers
    return Payment.objects.filter(pk=pk, order_id=order, order__product_id=product).first()


@transaction.atomic(durable=True)
def _adopt(made_for: Payment, intent: Intent) -> bool:
    """Give a payment the intent that was made for it, whose id we never heard; False if it has got another."""
    order, payment = intents.lock(payment_id=made_for.pk, intent=intent)
    if payment.status != Payment.Status.CREATING:
        return False
    payment.intent_id, payment.status = intent.id, Payment.Status.OPEN
    payment.save(update_fields=("intent_id", "status"))
    intents.apply(order=order, payment=payment, intent=intent)
    return True


def _cancel(findings: Findings, intent: Intent, text: str) -> None:
    """Cancel what nobody is to pay: no payment of ours waits for it."""
    try:
        stripe_gateway.cancel_intent(intent.id)
    except errors.PaymentRefused:
        findings.differ(text, intent.id)
    else:
        findings.counts["intents_canceled"] += 1


def _ask_again(findings: Findings, payment: Payment) -> None:
    """Ask Stripe once more, with the same key, for an intent whose id we never heard."""
    age = clock.now() - payment.created_at
    if not _IN_FLIGHT < age < _KEY_LASTS or payment.order.status != Order.Status.AWAITING_PAYMENT:
        return
    if not findings.mend:
        findings.differ(f"payment {payment.pk} waits for Stripe's answer since {payment.created_at}")
        return
    try:
        checkout.open_intent(find_order=lambda: payment.order_id, role=OrderEvent.Role.SYSTEM)
    except (errors.OrderPaid, errors.OrderNotPayable, errors.AmountNotChargeable, errors.PaymentRefused) as refusal:
        findings.counts[f"refused: {refusal.code}"] += 1
    else:
        findings.counts["payments_mended"] += 1
