"""What ends, moves or revives an auction, on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework import serializers

from auctioncraft.api.fields import MoneyOutputField, StrictBooleanField, StrictCharField, UTCDateTimeField
from auctioncraft.core import money
from auctioncraft.core.clock import isoformat_utc
from auctions.formats import ascending
from auctions.models import Auction, SecondChanceOffer
from auctions.serializers.products import SellerSummarySerializer

if TYPE_CHECKING:
    from datetime import datetime


class CloseAuctionSerializer(serializers.Serializer):
    """How to close."""

    accept_below_reserve = StrictBooleanField(default=False)


class ExtendAuctionSerializer(serializers.Serializer):
    """Until when."""

    ends_at = UTCDateTimeField()


class VoidBidSerializer(serializers.Serializer):
    """Why."""

    reason = StrictCharField(max_length=500)


class ClosedAuctionSerializer(serializers.Serializer):
    """A closed auction's result, for those who took part in closing it."""

    product = serializers.IntegerField()
    result = serializers.ChoiceField(choices=[choice for choice in Auction.Result.values if choice])
    winner = SellerSummarySerializer(allow_null=True)
    final_price = MoneyOutputField(allow_null=True)
    currency = serializers.CharField()
    closed_at = serializers.DateTimeField()
    server_time = serializers.DateTimeField()


class ExtendedAuctionSerializer(serializers.Serializer):
    """An auction's new end."""

    product = serializers.IntegerField()
    ends_at = serializers.DateTimeField()
    hard_ends_at = serializers.DateTimeField()
    server_time = serializers.DateTimeField()


class ProductAfterVoidSerializer(serializers.Serializer):
    """How a product stands after a bid was voided."""

    product = serializers.IntegerField()
    current_price = MoneyOutputField(allow_null=True)
    minimum_bid = MoneyOutputField()
    bid_count = serializers.IntegerField()
    reserve_met = serializers.BooleanField()
    currency = serializers.CharField()
    ends_at = serializers.DateTimeField()
    seq = serializers.IntegerField()
    server_time = serializers.DateTimeField()


class SecondChanceSerializer(serializers.Serializer):
    """An offer, for the seller and for the bidder it is made to."""

    product = serializers.IntegerField()
    bidder = serializers.CharField(help_text="By the alias of the product's history.")
    amount = MoneyOutputField()
    currency = serializers.CharField()
    status = serializers.ChoiceField(choices=SecondChanceOffer.Status.choices)
    expires_at = serializers.DateTimeField()
    server_time = serializers.DateTimeField()


def closed_auction(auction: Auction, now: datetime) -> dict[str, Any]:
    """Return the result of an auction, for those who may close it and for who has just bought."""
    winner = auction.winner
    return {
        "product": auction.product_id,
        "result": auction.result,
        "winner": {"id": winner.pk, "display_name": winner.display_name} if winner else None,
        "final_price": money.to_text_or_none(auction.hammer_price, auction.product.currency),
        "currency": auction.product.currency,
        "closed_at": isoformat_utc(auction.closed_at) if auction.closed_at else None,
        "server_time": isoformat_utc(now),
    }


def extended_auction(auction: Auction, now: datetime) -> dict[str, Any]:
    """Return where an auction's end is now."""
    return {
        "product": auction.product_id,
        "ends_at": isoformat_utc(auction.ends_at),
        "hard_ends_at": isoformat_utc(auction.hard_ends_at),
        "server_time": isoformat_utc(now),
    }


def standing_after_void(auction: Auction, now: datetime) -> dict[str, Any]:
    """Return how the auction stands for everybody."""
    product, price = auction.product, auction.price
    minimum = ascending.minimum_bid(product.terms(), price)
    return {
        "product": auction.product_id,
        "current_price": money.to_text_or_none(price, product.currency),
        "minimum_bid": money.to_text(minimum, product.currency),
        "bid_count": auction.bid_count,
        "reserve_met": ascending.reserve_met(product.reserve_price, price),
        "currency": product.currency,
        "ends_at": isoformat_utc(auction.ends_at),
        "seq": auction.seq,
        "server_time": isoformat_utc(now),
    }


def second_chance(offer: SecondChanceOffer, now: datetime) -> dict[str, Any]:
    """Return an offer, for either side of it."""
    product = offer.product
    return {
        "product": product.pk,
        "bidder": product.alias_of(offer.bidder_id),
        "amount": money.to_text(offer.amount, product.currency),
        "currency": product.currency,
        "status": offer.status,
        "expires_at": isoformat_utc(offer.expires_at),
        "server_time": isoformat_utc(now),
    }
