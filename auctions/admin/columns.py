"""What the pages show, and to whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin

from auctioncraft.core import money
from auctions.models import Product

if TYPE_CHECKING:
    from django.http import HttpRequest

EMPTY_VALUE = "–"  # noqa: RUF001 (a dash)


def amount_column(field: str) -> Any:
    """Return a column that shows money with its currency."""

    @admin.display(description=field.replace("_", " "), ordering=field)
    def show(_: Any, row: Any) -> str:
        currency = (row if isinstance(row, Product) else row.product).currency
        value = getattr(row, field)
        return EMPTY_VALUE if value is None else f"{money.to_text(value, currency)} {currency}"

    return show


class SuperuserOnlyFields:
    """Hides from staff, but not from superusers, what bidders and sellers trust the house with."""

    superuser_only: tuple[str, ...] = ()

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Leave out what this member of staff may not see."""
        fields = super().get_fields(request, obj)  # type: ignore[misc]
        return fields if request.user.is_superuser else [field for field in fields if field not in self.superuser_only]
