"""What the deletion of an account means for payments: orders stay, saved cards and the payout account go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Q

from payments.models import Order, Payout, SellerAccount
from payments.services import customers, expiry

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from accounts.models import User


def lock_rows(*, user: User) -> None:
    """Lock the user's Stripe customer, which protects their saved cards, before the account is locked."""
    customers.lock_for_erasure(user_id=user.pk)


def erasure_blockers(*, user: User) -> list[dict[str, Any]]:
    """Return the unpaid orders that the user buys or sells, and the orders with a payout still due to them."""
    due = Payout.objects.owed().filter(seller=user).order_by("order_id")
    return [
        *({"reason": "unpaid_order", "order": pk} for pk in _unpaid_orders(user)),
        *({"reason": "payout_due", "order": pk} for pk in due.values_list("order_id", flat=True)),
    ]


def withdraw_account(*, user: User) -> None:
    """Expire the unpaid orders that the user buys or sells, without a strike, and erase the rest.

    For an account that ended with trades open. Each order is its own transaction; what is done is skipped.
    """
    for order_id in list(_unpaid_orders(user)):
        expiry.withdraw_order(order_id=order_id)
    with transaction.atomic():
        lock_rows(user=user)
        erase_account(user=user)


def erase_account(*, user: User) -> None:
    """Delete the user's saved cards and payout account. A job deletes the Stripe customer later."""
    customers.erase(user_id=user.pk)
    SellerAccount.objects.filter(user=user).delete()


def _unpaid_orders(user: User) -> QuerySet[Order, int]:
    unpaid = Order.objects.filter(Q(buyer=user) | Q(seller=user), status=Order.Status.AWAITING_PAYMENT)
    found: QuerySet[Order, int] = unpaid.order_by("pk").values_list("pk", flat=True)
    return found
