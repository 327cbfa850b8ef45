"""What the deletion of an account means for payments: orders stay, saved cards and the payout account go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from payments.services import customers, orders, payouts, sellers

if TYPE_CHECKING:
    from accounts.models import User


def lock_rows(*, user: User) -> None:
    """Lock the user's Stripe customer, which protects their saved cards, before the account is locked."""
    customers.lock_for_erasure(user_id=user.pk)


def erasure_blockers(*, user: User) -> list[dict[str, Any]]:
    """Return the unpaid orders that the user buys or sells, and the orders with a payout still due to them."""
    unpaid = [{"reason": "unpaid_order", "order": pk} for pk in orders.unpaid_orders(user_id=user.pk)]
    return unpaid + [{"reason": "payout_due", "order": pk} for pk in payouts.orders_with_payout_due(user_id=user.pk)]


def erase_account(*, user: User) -> None:
    """Delete the user's saved cards and payout account. A job deletes the Stripe customer later."""
    customers.erase(user_id=user.pk)
    sellers.unlink(user_id=user.pk)
