"""Bids and events on the wire."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from auctioncraft.api.fields import IdField, MoneyField, MoneyOutputField
from auctioncraft.core import money
from auctioncraft.core.clock import isoformat_utc
from auctions.models import AuctionEvent
from auctions.serializers.products import ProductListSerializer, product_row


class PlaceBidSerializer(serializers.Serializer):
    """A bid: an open `amount`, a proxy's `max_amount`, or both."""

    amount = MoneyField(required=False, allow_null=True)
    max_amount = MoneyField(required=False, allow_null=True)


class BidSerializer(serializers.Serializer):
    """One's own bid, as sent."""

    id = serializers.UUIDField()
    amount = MoneyOutputField(allow_null=True)
    max_amount = MoneyOutputField(allow_null=True)
    currency = serializers.CharField()
    placed_at = serializers.DateTimeField()


class ProductAfterBidSerializer(serializers.Serializer):
    """How the product stands after the bid."""

    id = serializers.IntegerField()
    currency = serializers.CharField()
    current_price = MoneyOutputField()
    minimum_bid = MoneyOutputField()
    bid_count = serializers.IntegerField()
    ends_at = serializers.DateTimeField()
    reserve_met = serializers.BooleanField()
    seq = serializers.IntegerField()
    is_leading = serializers.BooleanField()


class PlacedBidSerializer(serializers.Serializer):
    """The answer to an accepted bid."""

    bid = BidSerializer()
    outcome = serializers.ChoiceField(choices=[("leading",) * 2, ("maximum_raised",) * 2, ("outbid",) * 2])
    product = ProductAfterBidSerializer()
    server_time = serializers.DateTimeField()


class CostBreakdownSerializer(serializers.Serializer):
    """What winning would come to."""

    hammer_price = MoneyOutputField()
    buyers_premium = MoneyOutputField()
    shipping = MoneyOutputField()
    total = MoneyOutputField()


class BidPreviewSerializer(serializers.Serializer):
    """What a bid would come to. It binds nobody, and does not tell whether the bid would lead."""

    acceptable = serializers.BooleanField()
    code = serializers.CharField(allow_null=True, help_text="What the bid would be refused with.")
    detail = serializers.CharField(allow_null=True)
    minimum_bid = MoneyOutputField()
    at_most = CostBreakdownSerializer(help_text="If it won at all that it offers.")
    currency = serializers.CharField()
    server_time = serializers.DateTimeField()


class MyBidSerializer(serializers.Serializer):
    """A product that the caller has bid on."""

    state = serializers.ChoiceField(choices=("leading", "outbid", "won", "lost", "owing"))
    my_maximum = MoneyOutputField()
    my_last_bid_at = serializers.DateTimeField()
    product = ProductListSerializer()


class EventSerializer(serializers.Serializer):
    """An event of the product's log."""

    seq = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=AuctionEvent.Kind.choices)
    data = serializers.JSONField()  # type: ignore[assignment]  # the column; DRF's own `data` is not used
    created_at = serializers.DateTimeField()
    server_time = serializers.DateTimeField()


class EventQuerySerializer(serializers.Serializer):
    """From where on the log is read."""

    after = IdField(min_value=0, default=0, help_text="Only events with a greater seq.")


def my_bid(row: dict[str, Any], user_id: int) -> dict[str, Any]:
    """Return the caller's side of a row of viewing.list_my_bids()."""
    if row["auction__status"] == "open":
        state = "leading" if row["auction__leader_id"] == user_id else "outbid"
    elif row["auction__winner_id"] == user_id and not row["auction__payment_defaulted_at"]:
        state = "won" if row["auction__paid_at"] else "owing"
    else:
        state = "lost"
    return {
        "state": state,
        "my_maximum": money.to_text(row["my_maximum"], row["currency"]),
        "my_last_bid_at": isoformat_utc(row["my_last_bid_at"]),
        "product": product_row(row),
    }


def event_row(row: dict[str, Any]) -> dict[str, Any]:
    """Return the public side of a row of viewing.list_events()."""
    return {
        **row,
        "created_at": isoformat_utc(row["created_at"]),
        "server_time": isoformat_utc(row["server_time"]),
    }
