"""Columns of the admin's pages, and who sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin

from auctioncraft.core import money
from auctions.models import Product

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest

EMPTY_VALUE = "–"  # noqa: RUF001 (a dash)


def amount_column(field: str) -> Callable[..., str]:
    """Return a column that shows an amount with its currency, for a ModelAdmin's attribute or its lists of fields."""

    @admin.display(description=field.replace("_", " "), ordering=field)
    def show(*args: Any) -> str:
        row = args[-1]  # Django calls an attribute of a ModelAdmin with the ModelAdmin first
        currency = (row if isinstance(row, Product) else row.product).currency
        value = getattr(row, field)
        return EMPTY_VALUE if value is None else f"{money.to_text(value, currency)} {currency}"

    return show


class SuperuserOnlyFields:
    """Hides fields from staff who are not superusers: hidden maxima and reserve prices."""

    superuser_only: tuple[Any, ...] = ()

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Leave out the fields that only superusers see."""
        fields = super().get_fields(request, obj)  # type: ignore[misc]
        return fields if request.user.is_superuser else [field for field in fields if field not in self.superuser_only]
