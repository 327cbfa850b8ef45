"""Lock accounts against erasure.

A service that starts something for a user locks their account in the same transaction. A bid, which has no
transaction of its own, does so in the statement that writes it (auctions/services/bid_store).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import connection

from accounts.models import User
from auctioncraft.core.errors import NotAuthenticated

if TYPE_CHECKING:
    from collections.abc import Collection

# The weakest lock that an erasure (FOR UPDATE) conflicts with. Others may take it at the same time. FOR SHARE would
# also block writes of strikes and names.
_LOCK_CLAUSE = " FOR KEY SHARE"


def lock_active_user(*, user_id: int) -> None:
    """Lock one account until the caller's transaction ends. Raises NotAuthenticated if it was erased."""
    if not lock_active_users(user_ids={user_id}):
        raise NotAuthenticated


def lock_active_users(*, user_ids: Collection[int]) -> set[int]:
    """Lock the accounts that exist and were not erased, and return their ids. Disabled accounts are included."""
    ids = User.objects.not_erased().filter(pk__in=user_ids).order_by("pk").values_list("pk", flat=True)
    if connection.vendor != "postgresql":
        return set(ids)  # SQLite: the transaction is the lock
    sql, parameters = ids.query.sql_with_params()
    with connection.cursor() as cursor:
        # READ COMMITTED: a row that was waited for is checked again as it is then.
        cursor.execute(sql + _LOCK_CLAUSE, parameters)
        return {pk for (pk,) in cursor.fetchall()}
