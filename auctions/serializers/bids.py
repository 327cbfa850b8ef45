"""Bids, previews of bids, and the event log."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from auctioncraft.api.fields import CurrencyField, MoneyField, MoneyOutputField
from auctioncraft.api.row_serializer import RowSerializer
from auctions.formats.base import Outcome
from auctions.models import AuctionEvent
from auctions.serializers.products import ProductListSerializer

# What a bid by a person can lead to.
_OUTCOMES = tuple(outcome.value for outcome in Outcome if outcome is not Outcome.AUTOMATIC)


class PreviewBidSerializer(serializers.Serializer):
    """A bid to preview: `amount`, `max_amount`, or both."""

    amount = MoneyField(required=False, allow_null=True, help_text="The amount to bid now, visible to everyone.")
    max_amount = MoneyField(
        required=False,
        allow_null=True,
        help_text="A hidden maximum. A proxy bids up to it on your behalf, no more than needed to lead.",
    )


class PlaceBidSerializer(PreviewBidSerializer):
    """A bid: `amount`, `max_amount`, or both. If it could cost more than you saw, no bid is placed."""

    total = MoneyField(
        required=False,
        help_text="The most to pay with premium and shipping, as previewed in `at_most`. Checked if given.",
    )
    currency = CurrencyField(required=False, help_text="The currency of the amounts. Checked if given.")


class BidSerializer(serializers.Serializer):
    """The bid as it was sent."""

    id = serializers.UUIDField()
    amount = MoneyOutputField(allow_null=True)
    max_amount = MoneyOutputField(allow_null=True)
    currency = serializers.CharField()
    placed_at = serializers.DateTimeField()


class ProductAfterBidSerializer(serializers.Serializer):
    """The product after the bid."""

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
    """An accepted bid."""

    # The service writes this answer, since it is stored with the bid under its Idempotency-Key.

    bid = BidSerializer()
    outcome = serializers.ChoiceField(choices=_OUTCOMES)
    product = ProductAfterBidSerializer()
    server_time = serializers.DateTimeField()


class CostBreakdownSerializer(serializers.Serializer):
    """What the buyer would pay."""

    hammer_price = MoneyOutputField()
    buyers_premium = MoneyOutputField()
    shipping = MoneyOutputField()
    total = MoneyOutputField()


class BidPreviewSerializer(serializers.Serializer):
    """What a bid would cost. A preview is not a bid, and does not say whether the bid would lead."""

    acceptable = serializers.BooleanField(help_text="Whether the bid would be accepted now.")
    code = serializers.CharField(allow_null=True, help_text="The error code that the bid would get.")
    detail = serializers.CharField(allow_null=True)
    minimum_bid = MoneyOutputField(help_text="The lowest amount that would be accepted now.")
    at_most = CostBreakdownSerializer(help_text="The cost if the product is sold at the full amount of the bid.")
    currency = serializers.CharField()
    server_time = serializers.DateTimeField()


class MyBidSerializer(RowSerializer):
    """A product that the caller has bid on."""

    # From a row of queries.list_my_bids(); the context has `user_id`.

    state = serializers.SerializerMethodField(help_text="`owing` has won and not paid yet, `won` has won and paid.")
    my_maximum = MoneyOutputField()
    my_last_bid_at = serializers.DateTimeField()
    product = ProductListSerializer(source="*")

    @extend_schema_field(serializers.ChoiceField(choices=("leading", "outbid", "won", "lost", "owing")))
    def get_state(self, row: dict[str, Any]) -> str:
        user_id = self.context["user_id"]
        if row["auction__status"] == "open":
            return "leading" if row["auction__leader_id"] == user_id else "outbid"
        if row["auction__winner_id"] == user_id and not row["auction__payment_defaulted_at"]:
            return "won" if row["auction__paid_at"] else "owing"
        return "lost"


class EventSerializer(serializers.Serializer):
    """An event of a product's log."""

    seq = serializers.IntegerField(help_text="1, 2, 3 and so on, without gaps.")
    kind = serializers.ChoiceField(choices=AuctionEvent.Kind.choices)
    data = serializers.JSONField()  # type: ignore[assignment]  # a column; in DRF the serializer's data
    created_at = serializers.DateTimeField()
    server_time = serializers.DateTimeField()
