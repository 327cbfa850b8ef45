"""Facts about an account that other apps read and set: strikes, unpaid orders, saved card, payout onboarding.

Whether a user may bid is decided in auctions/services/eligibility.py.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db.models import F

from accounts.models import User

if TYPE_CHECKING:
    from datetime import datetime

# Less is granted to a new account.
NEW_FOR: Final = timedelta(days=7)


def add_strike(*, user_id: int) -> None:
    """Count a won auction that was not paid. Call it in the transaction in which the order expires."""
    User.objects.filter(pk=user_id).update(strikes=F("strikes") + 1)


def clear_strikes(*, user: User) -> None:
    """Set the strikes to zero, so that the user can bid again."""
    User.objects.filter(pk=user.pk).update(strikes=0)
    user.strikes = 0


def set_has_card(*, user_id: int, has_card: bool) -> None:
    """Record whether the user has a saved card. Call it in the transaction that adds or removes the card."""
    User.objects.filter(pk=user_id).update(has_card=has_card)


def set_seller_state(*, user_id: int, state: User.SellerState) -> None:
    """Record the state of the seller's onboarding. Call it in the transaction that learns of it."""
    User.objects.filter(pk=user_id).update(seller_state=state)


def record_listing(*, user: User) -> None:
    """Record that the user sells, so that nobody else takes their name. Call it in the transaction of the listing."""
    if not user.has_listed:
        User.objects.filter(pk=user.pk).update(has_listed=True)
        user.has_listed = True


def add_unpaid_order(*, user_id: int) -> None:
    """Count an order that awaits payment. Call it in the transaction that opens the order."""
    User.objects.filter(pk=user_id).update(unpaid_orders=F("unpaid_orders") + 1)


def remove_unpaid_order(*, user_id: int) -> None:
    """Count an order that no longer awaits payment. Call it in the transaction that ends the waiting."""
    User.objects.filter(pk=user_id).update(unpaid_orders=F("unpaid_orders") - 1)


def lock_account(*, user_id: int) -> User:
    """Lock an account that is about to buy or win, and return it.

    Unlike user_locking, for one transaction at a time: purchases at once must not exceed the limit of unpaid orders,
    and nobody wins while they are being disabled. Bids go on. Lock order: docs/concurrency.md.
    """
    account: User = User.objects.select_for_update(no_key=True).get(pk=user_id)
    return account


def get_account(*, user_id: int) -> User:
    """Return an account as it is now."""
    account: User = User.objects.get(pk=user_id)
    return account


def is_new(*, created_at: datetime, email_verified_at: datetime | None, now: datetime) -> bool:
    """Return whether an account is younger than a week, or its address was never proved."""
    return email_verified_at is None or now < created_at + NEW_FOR


def is_active(*, user_id: int) -> bool:
    """Return whether the account was neither disabled nor erased."""
    return User.objects.filter(pk=user_id, is_active=True).exists()
