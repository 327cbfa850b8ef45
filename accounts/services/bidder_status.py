"""How somebody stands: whether they may bid (docs/rules.md, After the sale), and whether they are still here.

Whoever begins something in somebody's name holds their account in the same transaction. A bid, which has no
transaction of its own, does so in its commit (auctions/services/bid_store).
"""

from __future__ import annotations

from django.db.models import F

from accounts.erased import erased
from accounts.models import User


def add_strike(*, user_id: int) -> None:
    """Count a won auction that was not paid. Called in the transaction that lets its order expire."""
    User.objects.filter(pk=user_id).update(strikes=F("strikes") + 1)


def clear_strikes(*, user: User) -> None:
    """Let somebody bid again: staff have looked at their unpaid orders."""
    User.objects.filter(pk=user.pk).update(strikes=0)
    user.strikes = 0


def set_has_card(*, user_id: int, has_card: bool) -> None:
    """Write down whether a card is on file. Called in the transaction that keeps or removes it."""
    User.objects.filter(pk=user_id).update(has_card=has_card)


def set_seller_state(*, user_id: int, state: User.SellerState) -> None:
    """Write down how far a seller's onboarding for payouts has come. Called in the transaction that learns of it."""
    User.objects.filter(pk=user_id).update(seller_state=state)


def get_strikes_and_card(*, user_id: int) -> tuple[int, bool]:
    """Return an account's strikes and whether a card is on file, as they stand now."""
    found: tuple[int, bool] = User.objects.values_list("strikes", "has_card").get(pk=user_id)
    return found


def is_erased(*, user_id: int) -> bool:
    """Return whether the account was erased."""
    return User.objects.filter(erased(), pk=user_id).exists()
