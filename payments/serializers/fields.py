"""Fields that answers about money share."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from auctioncraft.core import money


@extend_schema_field({"type": "string", "example": "150.00"})
class AmountField(serializers.Field):
    """Money as answers write it: text with the decimals of the row's currency."""

    def __init__(self, *, currency: str = "currency", **kwargs: Any) -> None:
        """Take Field's arguments; it is never written. `currency` names the attribute that holds its currency."""
        self.currency = currency
        super().__init__(read_only=True, **kwargs)

    def get_attribute(self, instance: Any) -> str:
        """Return the amount of this name, or of that of its `source`, beside its currency."""
        return money.to_text(getattr(instance, self.source or ""), getattr(instance, self.currency))

    def to_representation(self, value: str) -> str:
        """Return the text."""
        return value
