"""Saved cards: stored at Stripe, charged later. We store only what a receipt shows.

Source: https://docs.stripe.com/payments/save-and-reuse
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction

from accounts.services import account_states, bidder_status
from accounts.services.account_states import Action
from auctioncraft.core import idempotency
from auctioncraft.core.errors import NotFound
from payments import errors, stripe_gateway
from payments.models import Customer, SavedCard
from payments.services import customers, stripe_request

if TYPE_CHECKING:
    from payments.models import StripeEvent
    from payments.stripe_gateway import Card, SetupIntent


@dataclass(frozen=True, slots=True)
class FetchedCard:
    """A payment method that an event is of, and the card that it is now; None: Stripe has no such card any more."""

    stripe_payment_method_id: str
    card: Card | None


def start_card_setup(*, user_id: int, idempotency_key: str | None = None) -> SetupIntent:
    """Return a new SetupIntent, by which the buyer's browser saves a card at Stripe. Never called in a transaction.

    The client's key becomes part of Stripe's, so the same key finds the same SetupIntent.
    Raises EmailNotVerified, NotAuthenticated, PaymentRefused, StripeUnavailable, IdempotencyKeyReused.
    """
    account_states.check_allowed(user_id=user_id, action=Action.SAVE_CARD)
    request = idempotency.identify("begin_card_setup", user_id=user_id, key=idempotency_key)
    return idempotency.run_reserved(request, lambda: _setup(user_id, idempotency_key))


def _setup(user_id: int, idempotency_key: str | None) -> SetupIntent:
    def create(customer: Customer) -> SetupIntent:
        key = f"{customer.stripe_customer_id}:{idempotency_key}"
        sent = hashlib.sha256(key.encode()).hexdigest() if idempotency_key else None
        return stripe_gateway.create_setup_intent(customer_id=customer.stripe_customer_id or "", idempotency_key=sent)

    try:
        return stripe_request.send(
            claim=lambda: customers.get_or_create(user_id=user_id),
            ask=create,
            record=lambda _customer, setup: setup,
            change=_unlink_missing,
            rounds=2,
        )
    except errors.StripeObjectMissing:
        raise errors.StripeUnavailable from None


def _unlink_missing(customer: Customer, refusal: errors.PaymentRefused) -> dict[str, Any]:
    """Unlink a customer that was deleted at Stripe, whose event has not come yet: the next round creates a new one."""
    if not isinstance(refusal, errors.StripeObjectMissing):
        return {}
    with transaction.atomic(durable=True):
        customers.unlink(customer.stripe_customer_id or "")
    return {"stripe_customer_id": None}


def save_card(*, user_id: int, setup_intent_id: str, idempotency_key: str | None = None) -> SavedCard:
    """Keep the card that a finished SetupIntent of this buyer saved; quiet if the event was faster.

    Repeated it is the same card. Raises NotFound if the SetupIntent is not theirs or its card is gone,
    SetupNotFinished, EmailNotVerified, StripeUnavailable, IdempotencyKeyReused.
    """
    account_states.check_allowed(user_id=user_id, action=Action.SAVE_CARD)
    request = idempotency.identify("keep_card", user_id=user_id, key=idempotency_key, setup_intent=setup_intent_id)
    return idempotency.run_reserved(request, lambda: _save_card(user_id, setup_intent_id))


def _save_card(user_id: int, setup_intent_id: str) -> SavedCard:
    try:
        setup = stripe_gateway.retrieve_setup_intent(setup_intent_id)
        if not setup.stripe_customer_id or setup.stripe_customer_id != customers.stripe_id(user_id=user_id):
            raise NotFound
        if setup.status != "succeeded":
            raise errors.SetupNotFinished(status=setup.status)
        card = stripe_gateway.retrieve_card(setup.stripe_payment_method_id)
    except errors.StripeObjectMissing:
        raise NotFound from None
    with transaction.atomic(durable=True):
        saved = _upsert(card)
    if saved is None or saved.user_id != user_id:
        raise NotFound
    return saved


def remove_card(*, user_id: int, card_id: int) -> None:
    """Detach a card at Stripe, then remove its row. Raises NotFound; StripeUnavailable, and then nothing is changed."""
    card = SavedCard.objects.filter(pk=card_id, user_id=user_id).first()
    if card is None:
        raise NotFound
    stripe_gateway.detach_card(card.stripe_payment_method_id)
    with transaction.atomic(durable=True):
        _delete_row(card.stripe_payment_method_id)


def set_auto_charge(*, user_id: int, card_id: int, charge: bool) -> SavedCard:
    """Say whether wins are charged to a card at once; to no other of the same buyer then.

    Raises NotFound; AutoChargeOff if the site does not charge winners automatically.
    """
    with transaction.atomic():
        _lock_customer(user_id)
        card = SavedCard.objects.filter(pk=card_id, user_id=user_id).first()
        if card is None:
            raise NotFound
        if charge and not settings.AUTO_CHARGE:
            raise errors.AutoChargeOff
        if charge:
            SavedCard.objects.filter(user_id=user_id, auto_charge=True).update(auto_charge=False)
        card.auto_charge = charge
        card.save(update_fields=("auto_charge",))
    return card


def auto_charge_card(*, user_id: int) -> SavedCard | None:
    """Return the card that a buyer's wins are charged to, if the site and the buyer want that."""
    if not settings.AUTO_CHARGE:
        return None
    return SavedCard.objects.filter(user_id=user_id, auto_charge=True).first()


def read_setup_event(event: StripeEvent) -> FetchedCard | None:
    """Return the card of a SetupIntent that succeeded, as it is now; None if the customer is not ours."""
    setup_intent_id = stripe_gateway.object_id(event.payload, "setup_intent")
    if not setup_intent_id:
        return None
    try:
        setup = stripe_gateway.retrieve_setup_intent(setup_intent_id)
    except errors.StripeObjectMissing:
        return None
    if not Customer.objects.filter(stripe_customer_id=setup.stripe_customer_id or None).exists():
        return None
    return _fetch_card(setup.stripe_payment_method_id)


def read_card_event(event: StripeEvent) -> FetchedCard | None:
    """Return the payment method of an event, as it is now."""
    payment_method_id = stripe_gateway.object_id(event.payload, "payment_method")
    return _fetch_card(payment_method_id) if payment_method_id else None


def apply_setup_event(found: FetchedCard) -> None:
    """Keep the card, unless it was detached meanwhile."""
    _upsert(found.card)


def apply_card_event(found: FetchedCard) -> None:
    """Update a saved card from Stripe, or delete it. A card that is not saved is ignored."""
    kept = SavedCard.objects.filter(stripe_payment_method_id=found.stripe_payment_method_id).exists()
    if kept and _upsert(found.card) is None:
        _delete_row(found.stripe_payment_method_id)


def read_customer_event(event: StripeEvent) -> str | None:
    """Return the id of a deleted customer: that is final, so Stripe is not asked."""
    return stripe_gateway.object_id(event.payload, "customer") or None


def _fetch_card(payment_method_id: str) -> FetchedCard:
    try:
        card = stripe_gateway.retrieve_card(payment_method_id)
    except errors.StripeObjectMissing:
        card = None
    return FetchedCard(stripe_payment_method_id=payment_method_id, card=card)


def _upsert(card: Card | None) -> SavedCard | None:
    """Save a customer's card in the caller's transaction; return None if it is not a card of a customer (any more)."""
    customer = customers.lock(customer_id=card.stripe_customer_id) if card and card.stripe_customer_id else None
    if card is None or customer is None:
        return None
    face = {"brand": card.brand, "last4": card.last4, "exp_month": card.exp_month, "exp_year": card.exp_year}
    saved, _ = SavedCard.objects.update_or_create(
        stripe_payment_method_id=card.stripe_payment_method_id, defaults={"user_id": customer.user_id, **face}
    )
    bidder_status.set_has_card(user_id=customer.user_id, has_card=True)
    return saved


def _delete_row(payment_method_id: str) -> None:
    """Remove a card's row, in the caller's transaction; quiet if it is gone."""
    user_id = (
        SavedCard.objects.filter(stripe_payment_method_id=payment_method_id).values_list("user_id", flat=True).first()
    )
    if user_id is None:
        return
    _lock_customer(user_id)
    SavedCard.objects.filter(stripe_payment_method_id=payment_method_id).delete()
    bidder_status.set_has_card(user_id=user_id, has_card=SavedCard.objects.filter(user_id=user_id).exists())


def _lock_customer(user_id: int) -> None:
    """Lock the customer row, and with it their cards."""
    Customer.objects.select_for_update(no_key=True).filter(user_id=user_id).first()
