"""Shortcuts for bids and times of an auction."""

from datetime import timedelta
from decimal import Decimal

from django.utils import timezone

from auctions.models import Auction
from auctions.services import bidding


def bid(product, user, amount=None, max_amount=None):
    """Place a bid; amounts can be strings."""
    return bidding.place_bid(
        product_id=product.pk,
        bidder_id=user.pk,
        amount=None if amount is None else Decimal(amount),
        max_amount=None if max_amount is None else Decimal(max_amount),
    )


def move_end_to_past(product, ago=timedelta(seconds=1)):
    """Let the auction end `ago`, without closing it."""
    at = timezone.now() - ago
    Auction.objects.filter(pk=product.pk).update(
        starts_at=at - timedelta(days=7), ends_at=at, hard_ends_at=at + timedelta(days=1)
    )


def move_start_to_tomorrow(product):
    """Let the auction start tomorrow."""
    at = timezone.now() + timedelta(days=1)
    Auction.objects.filter(pk=product.pk).update(
        starts_at=at, ends_at=at + timedelta(days=7), hard_ends_at=at + timedelta(days=8)
    )


def set_end(product, ends_at):
    """Let the auction end at `ends_at`, and a day later at the latest."""
    Auction.objects.filter(pk=product.pk).update(ends_at=ends_at, hard_ends_at=ends_at + timedelta(days=1))
