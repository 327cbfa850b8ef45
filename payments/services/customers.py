"""A buyer as a customer at Stripe: made once, when they first save a card, and deleted with their account."""

from __future__ import annotations

import time
import uuid
from typing import Final

from django.db import transaction

from accounts.services import bidder_status, user_locking
from auctioncraft.core.errors import NotAuthenticated
from auctioncraft.core.jobs import process_each
from payments import errors, stripe_gateway
from payments.models import Customer, SavedCard

# Rounds of look, ask, record. Each ends in an answer unless somebody else is making the same customer.
_ROUNDS: Final = 6


def stripe_id(*, user_id: int) -> str:
    """Return the customer's id at Stripe; empty if there is none."""
    found = (
        Customer.objects.filter(user_id=user_id, to_delete=False).values_list("stripe_customer_id", flat=True).first()
    )
    return found or ""


def get_or_create(*, user_id: int) -> Customer:
    """Return a buyer's customer, made at Stripe on the first call, however many come at once.

    Its idempotency key is committed before Stripe is asked, so a lost answer is found again. Never called in a
    transaction. Raises NotAuthenticated if the account was erased, PaymentRefused, StripeUnavailable.
    """
    for round_ in range(_ROUNDS):
        known = Customer.objects.filter(user_id=user_id, to_delete=False, stripe_customer_id__isnull=False).first()
        if known is not None:
            return known
        customer = _claim(user_id)
        try:
            made = stripe_gateway.create_customer(user_id=user_id, idempotency_key=str(customer.idempotency_key))
        except errors.KeyInUse:
            # A parallel call is creating it just now. Nothing is locked while we wait.
            time.sleep(0.1 * 2**round_)
            continue
        except errors.StoredFailure:
            _change_key(customer)
            continue
        except errors.PaymentRefused:
            _change_key(customer)
            raise
        Customer.objects.filter(
            pk=customer.pk, stripe_customer_id__isnull=True, idempotency_key=customer.idempotency_key
        ).update(stripe_customer_id=made)
    raise errors.StripeUnavailable


@transaction.atomic(durable=True)
def _claim(user_id: int) -> Customer:
    user_locking.lock_active_user(user_id=user_id)
    # One statement: of ten at once one inserts, and nine find it.
    Customer.objects.bulk_create([Customer(user_id=user_id)], ignore_conflicts=True)
    customer = Customer.objects.get(user_id=user_id)
    if customer.to_delete:
        raise NotAuthenticated
    return customer


def _change_key(customer: Customer) -> None:
    """Let the next try be a new request. A customer that was made all the same holds our number for them, no more."""
    Customer.objects.filter(
        pk=customer.pk, stripe_customer_id__isnull=True, idempotency_key=customer.idempotency_key
    ).update(idempotency_key=uuid.uuid4())


def lock(*, customer_id: str) -> Customer | None:
    """Lock and return the customer of this id at Stripe, unless their account is gone.

    It guards their saved cards. Lock order: after every row of an order's, before the account.
    """
    return (
        Customer.objects.select_for_update(no_key=True).filter(stripe_customer_id=customer_id, to_delete=False).first()
    )


def unlink(*, customer_id: str) -> None:
    """Forget a customer, in the caller's transaction, whom Stripe has deleted: their cards are gone with them."""
    customer = Customer.objects.select_for_update(no_key=True).filter(stripe_customer_id=customer_id).first()
    if customer is None:
        return
    SavedCard.objects.filter(user_id=customer.user_id).delete()
    bidder_status.set_has_card(user_id=customer.user_id, has_card=False)
    customer.stripe_customer_id, customer.idempotency_key = None, uuid.uuid4()
    customer.save(update_fields=("stripe_customer_id", "idempotency_key"))


def lock_for_erasure(*, user_id: int) -> None:
    """Lock somebody's customer before their account is locked."""
    Customer.objects.select_for_update().filter(user_id=user_id).exists()


def erase(*, user_id: int) -> None:
    """Forget somebody's cards, in the caller's transaction, and leave their customer at Stripe to `delete_due`."""
    SavedCard.objects.filter(user_id=user_id).delete()
    Customer.objects.filter(user_id=user_id).update(to_delete=True)


def delete_due(*, limit: int = 50) -> int:
    """Delete at Stripe the customers whose accounts were erased, then their rows; return how many. A sweep."""
    due = Customer.objects.filter(to_delete=True).order_by("pk")
    return process_each(_delete, [(customer,) for customer in due[:limit]], until=errors.StripeUnavailable)


def _delete(customer: Customer) -> bool:
    if customer_id := customer.stripe_customer_id or _find_unrecorded(customer):
        stripe_gateway.delete_customer(customer_id)
    Customer.objects.filter(pk=customer.pk, to_delete=True).delete()
    return True


def _find_unrecorded(customer: Customer) -> str:
    """Return the id of a customer whom we may have made without learning it: the same key finds them, or makes one."""
    try:
        return stripe_gateway.create_customer(user_id=customer.user_id, idempotency_key=str(customer.idempotency_key))
    except (errors.StoredFailure, errors.PaymentRefused):
        return ""
