"""What the query of an address may say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auctioncraft.core.errors import Invalid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rest_framework.request import Request


def chosen(request: Request, name: str, values: Sequence[str]) -> str | None:
    """Return the one of `values` that `?name=` asks for; None if it asks for none. Raises Invalid for any other."""
    value: str | None = request.query_params.get(name)
    if value is not None and value not in values:
        raise Invalid(**{name: f"One of {', '.join(values)} is needed."})
    return value
