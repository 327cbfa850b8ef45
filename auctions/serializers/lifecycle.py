"""Requests and answers of the actions that close, extend, relist and resell an auction."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from auctioncraft.api.fields import (
    CurrencyField,
    MoneyField,
    MoneyOutputField,
    ServerTimeField,
    StrictBooleanField,
    StrictCharField,
    UTCDateTimeField,
)
from auctioncraft.core import money
from auctions.formats.base import reserve_met
from auctions.models import Auction, SecondChanceOffer
from auctions.serializers.products import SellerSummarySerializer


class ReasonSerializer(serializers.Serializer):
    """The reason of an act."""

    reason = StrictCharField(required=False, max_length=500, help_text="Why. Recorded, and required of staff.")


class RequiredReasonSerializer(serializers.Serializer):
    """Why staff act."""

    reason = StrictCharField(max_length=500, help_text="Why. Recorded.")


class CloseAuctionSerializer(serializers.Serializer):
    """How to close an auction."""

    accept_below_reserve = StrictBooleanField(
        default=False, help_text="Sell to the leader even if the reserve is not met. Only for the seller."
    )
    reason = StrictCharField(required=False, max_length=500, help_text="Why. Recorded if given.")


class BuyNowSerializer(serializers.Serializer):
    """The price to buy at. If the product costs more by now, nothing is bought."""

    price = MoneyField(help_text="The buy-now price that the buyer saw.")
    total = MoneyField(
        required=False, help_text="The most to pay with premium and shipping, as the buyer saw it. Checked if given."
    )
    currency = CurrencyField(required=False, help_text="The currency of `price`. Checked if given.")


class ExtendAuctionSerializer(serializers.Serializer):
    """The new end of an auction."""

    ends_at = UTCDateTimeField()
    reason = StrictCharField(max_length=500, help_text="Why. Recorded.")


class VoidBidSerializer(serializers.Serializer):
    """The reason for voiding a bid."""

    reason = StrictCharField(max_length=500, help_text="The seller and the bidders concerned can read it.")


class ClosedAuctionSerializer(serializers.Serializer):
    """The result of an auction."""

    product = serializers.IntegerField(source="product_id")
    result = serializers.ChoiceField(choices=[choice for choice in Auction.Result.values if choice])
    winner = SellerSummarySerializer(allow_null=True)
    final_price = MoneyOutputField(source="hammer_price", currency_source="product.currency", allow_null=True)
    currency = serializers.CharField(source="product.currency")
    closed_at = serializers.DateTimeField()
    server_time = ServerTimeField()


class ExtendedAuctionSerializer(serializers.Serializer):
    """The new end of an auction, and the latest time to which bids can extend it."""

    product = serializers.IntegerField(source="product_id")
    ends_at = serializers.DateTimeField()
    hard_ends_at = serializers.DateTimeField()
    server_time = ServerTimeField()


class ProductAfterVoidSerializer(serializers.Serializer):
    """A product after a bid was voided."""

    product = serializers.IntegerField(source="product_id")
    current_price = MoneyOutputField(source="price", currency_source="product.currency", allow_null=True)
    minimum_bid = serializers.SerializerMethodField(help_text="The lowest amount that would be accepted now.")
    bid_count = serializers.IntegerField()
    reserve_met = serializers.SerializerMethodField(
        help_text="Whether the product would be sold at the current price; false before the first bid."
    )
    currency = serializers.CharField(source="product.currency")
    ends_at = serializers.DateTimeField()
    seq = serializers.IntegerField()
    server_time = ServerTimeField()

    @extend_schema_field(MoneyOutputField)
    def get_minimum_bid(self, auction: Auction) -> str:
        product = auction.product
        return money.to_text(product.rules.minimum_bid(product.terms(), auction.price), product.currency)

    def get_reserve_met(self, auction: Auction) -> bool:
        return reserve_met(auction.product.reserve_price, auction.price)


class SecondChanceSerializer(serializers.Serializer):
    """A second-chance offer, for the seller and for the bidder who got it."""

    product = serializers.IntegerField(source="product_id")
    bidder = serializers.SerializerMethodField(help_text="The bidder's alias in the product's bid history.")
    amount = MoneyOutputField(
        currency_source="product.currency",
        help_text="What the auction would have come to without the bids of the winner who did not pay.",
    )
    buyers_premium = MoneyOutputField(source="costs.buyers_premium", currency_source="product.currency")
    shipping = MoneyOutputField(source="costs.shipping", currency_source="product.currency")
    total = MoneyOutputField(source="costs.total", currency_source="product.currency")
    currency = serializers.CharField(source="product.currency")
    status = serializers.ChoiceField(choices=SecondChanceOffer.Status.choices)
    expires_at = serializers.DateTimeField()
    server_time = ServerTimeField()

    def get_bidder(self, offer: SecondChanceOffer) -> str:
        return offer.product.alias_of(offer.bidder_id)
