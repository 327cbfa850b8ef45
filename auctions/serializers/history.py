"""The public bid history."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from auctioncraft.api.fields import MoneyOutputField
from auctioncraft.api.row_serializer import RowSerializer
from auctions.formats.base import Outcome
from auctions.models import alias


class PublicBidSerializer(RowSerializer):
    """A bid in the public history."""

    # From a row of BidQuerySet.history(), with the product's `currency` and `alias_salt`.

    id = serializers.UUIDField(required=False, help_text="Only for staff, who can void the bid.")
    seq = serializers.IntegerField(help_text="The number of the event that made the bid public.")
    bidder = serializers.SerializerMethodField(help_text="An alias, the same for all bids of a bidder on this product.")
    amount = MoneyOutputField(source="displayed_amount", help_text="The public amount, never a hidden maximum.")
    currency = serializers.CharField(read_only=True, help_text="Three-letter ISO 4217 code.")
    automatic = serializers.SerializerMethodField(help_text="Whether the bidder's proxy placed it.")
    voided = serializers.SerializerMethodField(help_text="Whether staff have voided it. A voided bid does not count.")
    placed_at = serializers.DateTimeField()
    server_time = serializers.DateTimeField()

    def get_bidder(self, row: dict[str, Any]) -> str:
        return alias(row["alias_salt"], row["bidder_id"])

    def get_automatic(self, row: dict[str, Any]) -> bool:
        return bool(row["outcome"] == Outcome.AUTOMATIC)

    def get_voided(self, row: dict[str, Any]) -> bool:
        return row["void__voided_at"] is not None
