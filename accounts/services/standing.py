"""How somebody stands: whether they may bid (docs/rules.md, After the sale), and whether they are still here.

Whoever begins something in somebody's name holds their account in the same transaction. A bid, which has no
transaction of its own, does so in its commit (auctions/services/bid_store).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import connection
from django.db.models import F

from accounts.erased import erased
from accounts.models import User
from auctioncraft.errors import NotAuthenticated

if TYPE_CHECKING:
    from collections.abc import Collection

# Others may hold it too; only an erasure, which takes the row FOR UPDATE, waits for them, and they for it. FOR SHARE
# would keep strikes and names from being written meanwhile.
_HOLD = " FOR KEY SHARE"


def add_strike(*, user_id: int) -> None:
    """Count a won auction that was not paid. Called in the transaction that lets its order expire."""
    User.objects.filter(pk=user_id).update(strikes=F("strikes") + 1)


def lift_strikes(*, user: User) -> None:
    """Let somebody bid again: staff have looked at their unpaid orders."""
    User.objects.filter(pk=user.pk).update(strikes=0)
    user.strikes = 0


def set_has_card(*, user_id: int, has_card: bool) -> None:
    """Write down whether a card is on file. Called in the transaction that keeps or removes it."""
    User.objects.filter(pk=user_id).update(has_card=has_card)


def set_seller_state(*, user_id: int, state: User.SellerState) -> None:
    """Write down how far a seller's onboarding for payouts has come. Called in the transaction that learns of it."""
    User.objects.filter(pk=user_id).update(seller_state=state)


def of_bidder(*, user_id: int) -> tuple[int, bool]:
    """Return an account's strikes and whether a card is on file, as they stand now."""
    found: tuple[int, bool] = User.objects.values_list("strikes", "has_card").get(pk=user_id)
    return found


def is_erased(*, user_id: int) -> bool:
    """Return whether the account was erased."""
    return User.objects.filter(erased(), pk=user_id).exists()


def hold(*, user_id: int) -> None:
    """Keep an account from being erased until the caller's transaction ends. Raises NotAuthenticated if it was."""
    if not hold_all(user_ids={user_id}):
        raise NotAuthenticated


def hold_all(*, user_ids: Collection[int]) -> set[int]:
    """Return those of the accounts that are there and were not erased, and keep them so as `hold` does.

    Disabled ones are among them: they may come back.
    """
    ids = User.objects.filter(~erased(), pk__in=user_ids).order_by("pk").values_list("pk", flat=True)
    if connection.vendor != "postgresql":
        return set(ids)  # SQLite: the transaction is the lock
    sql, parameters = ids.query.sql_with_params()
    with connection.cursor() as cursor:
        # What had to be waited for is looked at again, as it is then (READ COMMITTED).
        cursor.execute(sql + _HOLD, parameters)
        return {pk for (pk,) in cursor.fetchall()}
