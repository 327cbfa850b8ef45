"""Facts about an account that other apps read and set: strikes, saved card, payout onboarding, erasure.

Whether a user may bid is decided in auctions/services/eligibility.py.
"""

from __future__ import annotations

from django.db.models import F

from accounts.models import User


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


def get_strikes_and_card(*, user_id: int) -> tuple[int, bool]:
    """Return the user's current strikes, and whether a card is saved."""
    found: tuple[int, bool] = User.objects.values_list("strikes", "has_card").get(pk=user_id)
    return found


def is_erased(*, user_id: int) -> bool:
    """Return whether the account was erased."""
    return User.objects.erased().filter(pk=user_id).exists()
