"""What this app does when something happens in the apps below it: in their transaction, rows only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.dispatch import receiver

from accounts.signals import account_erased, data_requested, erasure_begun, erasure_requested
from auctions.signals import auction_sold
from payments.services import customers, export, orders, payouts, sellers

if TYPE_CHECKING:
    from datetime import datetime

    from accounts.models import User
    from auctions.models import Auction


@receiver(auction_sold, dispatch_uid="payments.open_order")
def open_order_of_sale(*, auction: Auction, at: datetime, **_: Any) -> None:
    """Open the order in the transaction that sold it: there is never a sale without one."""
    orders.open_order(auction=auction, at=at)


@receiver(data_requested, dispatch_uid="payments.export")
def add_to_export(*, user: User, **_: Any) -> dict[str, list[dict[str, Any]]]:
    """Add what they bought and sold."""
    return export.sections(user=user)


@receiver(erasure_begun, dispatch_uid="payments.erasure_begun")
def lock_customer(*, user: User, **_: Any) -> None:
    """Lock what guards their cards, before their account is locked."""
    customers.lock_for_erasure(user_id=user.pk)


@receiver(erasure_requested, dispatch_uid="payments.erasure_requested")
def list_erasure_blockers(*, user: User, **_: Any) -> list[dict[str, Any]]:
    """Say what they owe, or are owed: the order, whichever side they are on, and what is not paid out to them yet."""
    unpaid = [{"reason": "unpaid_order", "order": pk} for pk in orders.unpaid_orders(user_id=user.pk)]
    return unpaid + [{"reason": "payout_due", "order": pk} for pk in payouts.orders_with_payout_due(user_id=user.pk)]


@receiver(account_erased, dispatch_uid="payments.account_erased")
def forget_cards(*, user: User, **_: Any) -> None:
    """Forget their cards; the worker has Stripe forget their customer."""
    customers.erase(user_id=user.pk)


@receiver(account_erased, dispatch_uid="payments.account_erased.seller")
def forget_seller_account(*, user: User, **_: Any) -> None:
    """Forget which account at Stripe is theirs; there it stays, for it is between them and Stripe."""
    sellers.unlink(user_id=user.pk)
