"""The public bid history."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from auctioncraft.api.fields import MoneyOutputField
from auctioncraft.core import money
from auctions.formats.base import Outcome
from auctions.models import alias


class PublicBidSerializer(serializers.Serializer):
    """A bid in the public history."""

    # From a row of BidQuerySet.history(); the context has the product's `currency` and `alias_salt`, and `is_staff`.

    id = serializers.UUIDField(required=False, help_text="Only for staff, who can void the bid.")
    seq = serializers.IntegerField(help_text="The number of the event that made the bid public.")
    bidder = serializers.SerializerMethodField(help_text="An alias, the same for all bids of a bidder on this product.")
    amount = serializers.SerializerMethodField(help_text="The public amount, never a hidden maximum.")
    currency = serializers.SerializerMethodField(help_text="Three-letter ISO 4217 code.")
    automatic = serializers.SerializerMethodField(help_text="Whether the bidder's proxy placed it.")
    voided = serializers.SerializerMethodField(help_text="Whether staff have voided it. A voided bid does not count.")
    placed_at = serializers.DateTimeField()
    server_time = serializers.DateTimeField()

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """Leave out the ID unless staff ask."""
        representation: dict[str, Any] = super().to_representation(instance)
        if not self.context.get("is_staff"):
            del representation["id"]
        return representation

    def get_bidder(self, row: dict[str, Any]) -> str:
        """Return the bidder's alias."""
        return alias(self.context["alias_salt"], row["bidder_id"])

    @extend_schema_field(MoneyOutputField)
    def get_amount(self, row: dict[str, Any]) -> str:
        """Return the amount that everyone sees, not a maximum."""
        return money.to_text(row["displayed_amount"], self.context["currency"])

    def get_currency(self, _: dict[str, Any]) -> str:
        """Return the product's currency."""
        currency: str = self.context["currency"]
        return currency

    def get_automatic(self, row: dict[str, Any]) -> bool:
        """Return whether a proxy placed it."""
        return bool(row["outcome"] == Outcome.AUTOMATIC)

    def get_voided(self, row: dict[str, Any]) -> bool:
        """Return whether it was voided."""
        return row["void__voided_at"] is not None
