"""The public bid history on the wire."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from auctioncraft.api.fields import MoneyOutputField
from auctioncraft.core import money
from auctions.formats import ascending
from auctions.models import alias


class PublicBidSerializer(serializers.Serializer):
    """A row of the public bid history."""

    id = serializers.UUIDField(required=False, help_text="For staff, who may declare it void.")
    seq = serializers.IntegerField()
    bidder = serializers.CharField(help_text="An alias, stable within the product and meaningless outside it.")
    amount = MoneyOutputField()
    currency = serializers.CharField()
    automatic = serializers.BooleanField(help_text="Made by a proxy that answered or was overtaken.")
    voided = serializers.BooleanField(help_text="Declared void by staff: it counts no more.")
    placed_at = serializers.DateTimeField()
    server_time = serializers.DateTimeField()


def history_row(row: dict[str, Any], *, salt: str, currency: str, staff: bool = False) -> dict[str, Any]:
    """Return the public side of a row of BidQuerySet.history(); for `staff` with the bid's id, to void it by."""
    return {
        **({"id": str(row["id"])} if staff else {}),
        "seq": row["seq"],
        "bidder": alias(salt, row["bidder_id"]),
        "amount": money.to_text(row["displayed_amount"], currency),
        "currency": currency,
        "automatic": row["outcome"] == ascending.Outcome.AUTOMATIC,
        "voided": row["void__voided_at"] is not None,
        "placed_at": row["placed_at"],
        "server_time": row["server_time"],
    }
