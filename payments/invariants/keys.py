"""How the checks name rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django.db.models import QuerySet


def keys(rows: QuerySet[Any]) -> Any:
    """Return the rows' ids, in order."""
    return rows.order_by("pk").values_list("pk", flat=True)
