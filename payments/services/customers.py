"""A buyer as a customer at Stripe: made once, when they first save a card, and deleted with their account."""

from __future__ import annotations

import uuid

from django.db import transaction

from accounts.services import bidder_status, user_locking
from auctioncraft.core import clock, retry
from auctioncraft.core.errors import NotAuthenticated
from payments import errors, stripe_gateway
from payments.models import Customer, SavedCard
from payments.services import stripe_request


def stripe_id(*, user_id: int) -> str:
    """Return the customer's id at Stripe; empty if there is none."""
    found = (
        Customer.objects.filter(user_id=user_id, to_delete=False).values_list("stripe_customer_id", flat=True).first()
    )
    return found or ""


def get_or_create(*, user_id: int) -> Customer:
    """Return a buyer's customer, created at Stripe on the first call. Never called in a transaction.

    Raises NotAuthenticated if the account was erased, PaymentRefused, KeyInUse, StripeUnavailable.
    """
    known = Customer.objects.filter(user_id=user_id, to_delete=False, stripe_customer_id__isnull=False).first()
    return known or stripe_request.send(claim=lambda: _claim(user_id), ask=_create, record=_record)


@transaction.atomic(durable=True)
def _claim(user_id: int) -> Customer:
    user_locking.lock_active_user(user_id=user_id)
    # One statement: of ten at once one inserts, and nine find it.
    Customer.objects.bulk_create([Customer(user_id=user_id)], ignore_conflicts=True)
    customer = Customer.objects.get(user_id=user_id)
    if customer.to_delete:
        raise NotAuthenticated
    return customer


def _create(customer: Customer) -> str:
    return customer.stripe_customer_id or stripe_gateway.create_customer(
        user_id=customer.user_id, idempotency_key=str(customer.idempotency_key)
    )


def _record(claimed: Customer, stripe_customer_id: str) -> Customer | None:
    """Store the customer's id unless another request did. An unused customer contains only our user id."""
    claimed_rows = Customer.objects.filter(pk=claimed.pk, idempotency_key=claimed.idempotency_key)
    claimed_rows.filter(stripe_customer_id__isnull=True).update(stripe_customer_id=stripe_customer_id)
    return Customer.objects.filter(pk=claimed.pk, to_delete=False, stripe_customer_id__isnull=False).first()


def lock(*, customer_id: str) -> Customer | None:
    """Lock and return the customer of this id at Stripe, unless their account is gone.

    Code that changes their saved cards locks it. Lock order: after all rows of an order, before the account.
    """
    return (
        Customer.objects.select_for_update(no_key=True).filter(stripe_customer_id=customer_id, to_delete=False).first()
    )


def unlink(customer_id: str) -> None:
    """Unlink a customer that Stripe has deleted, with the saved cards, in the caller's transaction."""
    customer = Customer.objects.select_for_update(no_key=True).filter(stripe_customer_id=customer_id).first()
    if customer is None:
        return
    SavedCard.objects.filter(user_id=customer.user_id).delete()
    bidder_status.set_has_card(user_id=customer.user_id, has_card=False)
    customer.stripe_customer_id, customer.idempotency_key = None, uuid.uuid4()
    customer.save(update_fields=("stripe_customer_id", "idempotency_key"))


def lock_for_erasure(*, user_id: int) -> None:
    """Lock a user's customer row before the account is locked."""
    Customer.objects.select_for_update().filter(user_id=user_id).exists()


def erase(*, user_id: int) -> None:
    """Delete a user's cards in the caller's transaction; `delete_due` deletes the customer at Stripe."""
    SavedCard.objects.filter(user_id=user_id).delete()
    Customer.objects.filter(user_id=user_id).update(to_delete=True, next_attempt_at=clock.now())


def delete_due() -> int:
    """Delete at Stripe the customers whose accounts were erased, then their rows; return how many. A job."""
    return retry.process_due(Customer.objects.filter(to_delete=True), _delete, policy=stripe_request.ENDLESS)


def _delete(customer: Customer) -> None:
    if stripe_customer_id := customer.stripe_customer_id or _find_unrecorded(customer):
        stripe_gateway.delete_customer(stripe_customer_id)
    Customer.objects.filter(pk=customer.pk, to_delete=True).delete()


def _find_unrecorded(customer: Customer) -> str:
    """Return the id of a customer that we may have created without storing it: the same key finds or creates it."""
    try:
        return _create(customer)
    except (errors.StoredFailure, errors.PaymentRefused):
        return ""
