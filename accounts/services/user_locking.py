"""Lock accounts so that they cannot be erased until the transaction ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import connection

from accounts.erased import erased
from accounts.models import User
from auctioncraft.core.errors import NotAuthenticated

if TYPE_CHECKING:
    from collections.abc import Collection

# Others may hold it too; only an erasure, which takes the row FOR UPDATE, waits for them, and they for it. FOR SHARE
# would keep strikes and names from being written meanwhile.
_HOLD = " FOR KEY SHARE"


def lock_active_user(*, user_id: int) -> None:
    """Keep an account from being erased until the caller's transaction ends. Raises NotAuthenticated if it was."""
    if not lock_active_users(user_ids={user_id}):
        raise NotAuthenticated


def lock_active_users(*, user_ids: Collection[int]) -> set[int]:
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
