"""Charging the winner's saved card at the close, if they asked for it: once, and only while nobody else is paying.

Nothing can be charged twice. There is one live PaymentIntent per order, checkout's own, and Stripe lets one be paid
once (https://docs.stripe.com/payments/paymentintents/lifecycle). Killed at any point, the next sweep finds the payment
by its stored key, and its intent as it is.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db import transaction

from auctioncraft import clock
from auctioncraft.errors import DomainError
from auctioncraft.sweeps import one_by_one
from payments import errors, stripe_gateway
from payments.models import Order, OrderEvent
from payments.services import cards, checkout, customers, history, intents
from payments.signals import payment_failed

if TYPE_CHECKING:
    from payments.models import SavedCard
    from payments.services.checkout import Opened
    from payments.stripe_gateway import Intent

# While Stripe is away it is tried again for so long: as long as it remembers a key.
LASTS: Final = timedelta(hours=24)
_UNTRIED: Final = ("requires_payment_method", "requires_confirmation")
# A 5xx is remembered under its key, so another key asks again.
_KEYS: Final = 3


def charge_winners(*, limit: int = 50) -> int:
    """Charge the saved cards of winners who want that, the longest waiting first; return how many are done. A sweep."""
    due = Order.objects.filter(auto_charge=Order.AutoCharge.DUE).order_by("created_at")
    return one_by_one(_charge_winner, list(due.values_list("pk")[:limit]))


def _charge_winner(order_id: int) -> bool:
    """Try it, outside any transaction. False if Stripe is away: the next sweep tries again."""
    order = Order.objects.get(pk=order_id)
    card = cards.charged_when_winning(user_id=order.buyer_id)
    if card is None or clock.now() > order.created_at + LASTS:
        return _finish(order_id)
    try:
        opened = checkout.open_intent(find_order=lambda: order_id, role=OrderEvent.Role.SYSTEM)
        if not _is_untried(opened, order.buyer_id):
            return _finish(order_id)
        return _charge(opened, card)
    except errors.StripeUnavailable:
        return False
    except (errors.OrderPaid, errors.OrderNotPayable):
        return _finish(order_id)
    except DomainError as refused:
        return _finish(order_id, refused=_reason(refused))


def _is_untried(opened: Opened, buyer_id: int) -> bool:
    """Return whether nobody has begun to pay, or been declined, and the intent is of the buyer's customer."""
    intent, payment = opened.intent, opened.payment
    owned = bool(payment.customer_id) and payment.customer_id == customers.id_of(user_id=buyer_id)
    return owned and intent.status in _UNTRIED and not intent.last_error_code


def _charge(opened: Opened, card: SavedCard) -> bool:
    intent_id, refused = opened.intent.id, ""
    try:
        intent = _confirm(opened, card)
    except errors.PaymentRefused as refusal:
        # Declined, or paid or canceled while we came: the intent says which.
        intent, refused = stripe_gateway.retrieve_intent(intent_id), _reason(refusal)
    with transaction.atomic(durable=True):
        order, payment = intents.lock(payment_id=opened.payment.pk, intent=intent)
        intents.apply(order=order, payment=payment, intent=intent)
        # Of a decline Stripe sends an event, and that tells the buyer.
        return _settle(order, refused="" if intent.last_error_code else refused)


def _confirm(opened: Opened, card: SavedCard) -> Intent:
    for number in range(1, _KEYS + 1):
        try:
            return stripe_gateway.charge_saved_card(
                intent_id=opened.intent.id,
                payment_method_id=card.payment_method_id,
                idempotency_key=f"{opened.payment.idempotency_key}:charge:{number}",
            )
        except errors.KeySpent:
            continue
    raise errors.StripeUnavailable


@transaction.atomic(durable=True)
def _finish(order_id: int, refused: str = "") -> bool:
    return _settle(Order.objects.locked(order_id), refused=refused)


def _settle(order: Order, *, refused: str) -> bool:
    """Mark a locked order as tried; if it was refused and is still to be paid, say so to its buyer. Once."""
    if order.auto_charge != Order.AutoCharge.DUE:
        return False
    order.auto_charge = Order.AutoCharge.DONE
    order.save(update_fields=("auto_charge",))
    if refused and order.status == Order.Status.AWAITING_PAYMENT:
        history.record(order=order, kind=OrderEvent.Kind.PAYMENT_FAILED, at=clock.now(), reason=refused)
        payment_failed.send(sender=Order, order=order)
    return True


def _reason(refused: DomainError) -> str:
    return str(refused.extra.get("stripe_code") or refused.code)
