"""Delete what is not needed any more, in batches that never make a writer wait for long."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction

from auctioncraft.core import clock

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from django.db.models import Model, QuerySet

BATCH: Final = 500  # rows of a transaction


def delete_in_batches(old: Callable[[datetime], QuerySet[Any]], *, batch: int = BATCH, seconds: float = 20) -> int:
    """Delete the rows of `old(now)`, each batch in a transaction of its own; return how many.

    Begins no batch after `seconds`: the rest is for the next run, and so are rows that are locked.
    """
    until = time.monotonic() + seconds
    deleted = 0
    while time.monotonic() < until:
        # The first read takes no lock, so that a run with nothing to do does not keep SQLite's writers waiting.
        ids = list(old(clock.now()).order_by("pk").values_list("pk", flat=True)[:batch])
        if not ids:
            break
        with transaction.atomic():
            # Read again under the lock: a row may have changed meanwhile.
            rows = old(clock.now()).filter(pk__in=ids).select_for_update(skip_locked=True, of=("self",))
            locked = list(rows.order_by("pk").values_list("pk", flat=True))
            rows.model._default_manager.filter(pk__in=locked).delete()  # noqa: SLF001 (public by documentation)
        deleted += len(locked)
        if len(locked) < len(ids):
            break
    return deleted


def oldest(model: type[Model], batch: int = BATCH) -> QuerySet[Any]:
    """Return the first rows of a table that is only appended to: its oldest, found without an index on their time."""
    rows = model._default_manager  # noqa: SLF001 (public by documentation)
    return rows.filter(pk__in=rows.order_by("pk").values("pk")[:batch])
