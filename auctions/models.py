"""What is sold and how the sale stands.

`Product` is what the seller wrote and bids never touch; `Auction` is the one narrow row that they move; `Bid` and
`AuctionEvent` are only ever inserted (ADR 0004).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from auctioncraft.db import MoneyField
from auctioncraft.ids import uuid7


class Category(models.Model):
    """A node of the tree in which products are found."""

    name = models.CharField(max_length=80)
    slug = models.SlugField(max_length=80, unique=True)
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="children")

    class Meta:
        ordering = ("name",)
        verbose_name_plural = "categories"

    def __str__(self) -> str:
        return self.name


def _new_salt() -> str:
    return secrets.token_hex(16)


class Product(models.Model):
    """What the seller wrote, and the rules it was listed under, frozen with it."""

    seller = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="products")
    category = models.ForeignKey(Category, on_delete=models.PROTECT, related_name="products")
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True, max_length=20_000)
    currency = models.CharField(max_length=3)
    starting_bid = MoneyField()
    reserve_price = MoneyField(null=True, blank=True, help_text="Hidden: the public sees only whether it is met.")
    buy_now_price = MoneyField(null=True, blank=True)
    bid_increment = MoneyField(null=True, blank=True, help_text="A flat increment; else the currency's table.")
    increments = models.JSONField(help_text="The increment table it was listed under: [[from price, step], …].")
    soft_close_window = models.PositiveIntegerField(help_text="Seconds.")
    soft_close_extension = models.PositiveIntegerField(help_text="Seconds.")
    shipping = MoneyField(default=Decimal(0))
    thumbnail = models.ImageField(upload_to="products/", blank=True)
    alias_salt = models.CharField(max_length=32, default=_new_salt, editable=False)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ("-created_at", "-id")
        indexes = (models.Index(fields=("-created_at", "-id"), name="product_newest"),)
        constraints = (
            models.CheckConstraint(condition=Q(starting_bid__gt=0), name="starting_bid_above_zero"),
            models.CheckConstraint(
                condition=Q(reserve_price__isnull=True) | Q(reserve_price__gt=0), name="reserve_above_zero"
            ),
            models.CheckConstraint(
                condition=Q(buy_now_price__isnull=True) | Q(buy_now_price__gt=F("starting_bid")),
                name="buy_now_above_starting_bid",
            ),
        )

    def __str__(self) -> str:
        return self.name

    def alias_of(self, user_id: int) -> str:
        """Return the name a bidder goes by in this product's public history.

        Stable within the product, useless outside it: the salt is the product's own and never leaves the database.
        """
        return alias(self.alias_salt, user_id)


def alias(salt: str, user_id: int) -> str:
    """As Product.alias_of, where only the salt was read."""
    digest = hmac.digest(salt.encode(), str(user_id).encode(), hashlib.sha256)
    return f"bidder-{base64.b32encode(digest[:5]).decode().lower()}"


class AuctionQuerySet(models.QuerySet["Auction"]):
    """Named reads."""

    def due(self, now: datetime) -> AuctionQuerySet:
        """Return the open auctions whose time is up, the longest overdue first."""
        return self.filter(status=Auction.Status.OPEN, ends_at__lte=now).order_by("ends_at", "product_id")


class Auction(models.Model):
    """How the sale of a product stands: the one row that a bid updates.

    `version` moves with every write and guards the next; `seq` counts public events only, or a raised maximum, which
    nobody may see, would show in it.
    """

    class Status(models.TextChoices):
        """What is stored. Scheduled and ended are `open` seen by the clock."""

        OPEN = "open"
        SOLD = "sold"
        UNSOLD = "unsold"
        CANCELLED = "cancelled"

    class Result(models.TextChoices):
        """How it closed (rules.md, Closing)."""

        SOLD = "sold"
        RESERVE_NOT_MET = "reserve_not_met"
        NO_BIDS = "no_bids"
        CANCELLED = "cancelled"

    product = models.OneToOneField(Product, primary_key=True, on_delete=models.CASCADE, related_name="auction")
    status = models.CharField(max_length=9, choices=Status, default=Status.OPEN)
    price = MoneyField(null=True, blank=True)
    # No index on what a bid changes: PostgreSQL then updates the row in place (HOT).
    leader = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, db_index=False, related_name="+"
    )
    maximum = MoneyField(null=True, blank=True, help_text="The leader's hidden maximum.")
    bid_count = models.PositiveIntegerField(default=0)
    seq = models.PositiveBigIntegerField(default=0)
    version = models.PositiveBigIntegerField(default=0)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    hard_ends_at = models.DateTimeField()
    last_bid_at = models.DateTimeField(null=True, blank=True)
    result = models.CharField(max_length=15, choices=Result, blank=True, default="")
    winner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, db_index=False, related_name="+"
    )
    hammer_price = MoneyField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[Any] = AuctionQuerySet.as_manager()

    class Meta:
        indexes = (
            models.Index(fields=("ends_at", "product"), name="auction_open_by_end", condition=Q(status="open")),
        )
        constraints = (
            models.CheckConstraint(
                condition=Q(starts_at__lt=F("ends_at")) & Q(ends_at__lte=F("hard_ends_at")), name="auction_times_in_order"
            ),
            models.CheckConstraint(
                condition=Q(leader__isnull=True, price__isnull=True, maximum__isnull=True)
                | Q(leader__isnull=False, price__isnull=False, maximum__gte=F("price")),
                name="auction_leader_covers_price",
            ),
            models.CheckConstraint(
                condition=Q(status="open", result="", closed_at__isnull=True)
                | (~Q(status="open") & ~Q(result="") & Q(closed_at__isnull=False)),
                name="auction_result_iff_closed",
            ),
            models.CheckConstraint(
                condition=Q(status="sold", winner__isnull=False, hammer_price__isnull=False)
                | (~Q(status="sold") & Q(winner__isnull=True, hammer_price__isnull=True)),
                name="auction_winner_iff_sold",
            ),
        )

    def __str__(self) -> str:
        return f"Auction of product {self.product_id}"


class Bid(models.Model):
    """A row of a product's bids: one that somebody made, or one that the leader's proxy made for them.

    Ordered by (product, version, position). `seq` is that of its public event; a raised maximum that moved nothing
    public has none and is not in the history. Written by services/bid_store alone, never changed or deleted.
    """

    class Outcome(models.TextChoices):
        """What the bidder was told (rules.md, A bid)."""

        LEADING = "leading"
        MAXIMUM_RAISED = "maximum_raised"
        OUTBID = "outbid"
        AUTOMATIC = "automatic"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    product = models.ForeignKey(Product, on_delete=models.PROTECT, db_index=False, related_name="bids")
    version = models.PositiveBigIntegerField(help_text="The auction's version that it made.")
    position = models.PositiveSmallIntegerField(default=0, help_text="Its place among the rows of one write.")
    seq = models.PositiveBigIntegerField(null=True, blank=True)
    bidder = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, db_index=False, related_name="bids")
    price = MoneyField(help_text="What it stood at in the history.")
    amount = MoneyField(null=True, blank=True, help_text="The open bid as sent.")
    max_amount = MoneyField(null=True, blank=True, help_text="The proxy's maximum as sent.")
    outcome = models.CharField(max_length=14, choices=Outcome)
    placed_at = models.DateTimeField()

    class Meta:
        ordering = ("product", "version", "position")
        constraints = (models.UniqueConstraint(fields=("product", "version", "position"), name="bid_order"),)
        indexes = (models.Index(fields=("bidder", "product"), name="bid_by_bidder"),)

    def __str__(self) -> str:
        return f"{self.price} on product {self.product_id}"

    @property
    def automatic(self) -> bool:
        """Whether a proxy made it."""
        return self.outcome == self.Outcome.AUTOMATIC


class AuctionEvent(models.Model):
    """One public change of a product: `(product, seq)`, gap-free, written by the statement that made the change."""

    class Kind(models.TextChoices):
        """What happened."""

        BID_PLACED = "bid_placed"
        EXTENDED = "extended"
        CLOSED = "closed"
        CANCELLED = "cancelled"
        BID_VOIDED = "bid_voided"
        EDITED = "edited"

    product = models.ForeignKey(Product, on_delete=models.PROTECT, db_index=False, related_name="events")
    seq = models.PositiveBigIntegerField()
    kind = models.CharField(max_length=12, choices=Kind)
    data = models.JSONField(help_text="What everybody may know.")
    private = models.JSONField(default=dict, help_text="Whom it concerns, by user id: for notices and the audit.")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("product", "seq")
        constraints = (models.UniqueConstraint(fields=("product", "seq"), name="event_order"),)

    def __str__(self) -> str:
        return f"{self.kind} {self.seq} of product {self.product_id}"


class EventOutbox(models.Model):
    """An event that a worker has not dealt with yet: inserted with the event, deleted when its notices are written."""

    product_id = models.BigIntegerField()
    seq = models.PositiveBigIntegerField()

    class Meta:
        verbose_name_plural = "event outbox"

    def __str__(self) -> str:
        return f"event {self.seq} of product {self.product_id}"
