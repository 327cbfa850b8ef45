"""The auction of a product."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.apps import apps
from django.conf import settings
from django.db import models
from django.db.models import Exists, F, OuterRef, Q

from auctioncraft.core.model_fields import MoneyField
from auctions.formats.base import State
from auctions.models.product import Product

if TYPE_CHECKING:
    from datetime import datetime


class AuctionQuerySet(models.QuerySet["Auction"]):
    """Named queries."""

    def due(self, now: datetime) -> AuctionQuerySet:
        """Return the open auctions whose end has passed, the longest overdue first."""
        return self.filter(status=Auction.Status.OPEN, ends_at__lte=now).order_by("ends_at", "product_id")

    def with_bids(self) -> AuctionQuerySet:
        """Return those on which there ever was a bid; `bid_count` leaves out hidden and voided ones."""
        return self.filter(Exists(_bids()))

    def without_bids(self) -> AuctionQuerySet:
        """Return the others."""
        return self.filter(~Exists(_bids()))


def _bids() -> models.QuerySet[Any]:
    # Not imported: bids.py imports product.py, and models/__init__.py both.
    bids: models.QuerySet[Any] = apps.get_model("auctions", "Bid")._default_manager.filter(product_id=OuterRef("pk"))  # noqa: SLF001 (documented)
    return bids


class Auction(models.Model):
    """The state of a product's auction: the one row that a bid updates.

    `version` counts every write, for optimistic locking. `seq` counts public events only: it must not show a raised
    maximum.
    """

    class Status(models.TextChoices):
        """The stored status. Publicly, `open` is also scheduled or ended, by the clock."""

        OPEN = "open"
        SOLD = "sold"
        UNSOLD = "unsold"
        CANCELLED = "cancelled"

    class Result(models.TextChoices):
        """The result of the close (docs/rules.md, Closing)."""

        SOLD = "sold"
        RESERVE_NOT_MET = "reserve_not_met"
        NO_BIDS = "no_bids"
        CANCELLED = "cancelled"

    class SaleType(models.TextChoices):
        """How it was sold (docs/rules.md)."""

        HAMMER = "hammer"
        BUY_NOW = "buy_now"
        BELOW_RESERVE = "below_reserve"
        SECOND_CHANCE = "second_chance"

    product = models.OneToOneField(Product, primary_key=True, on_delete=models.CASCADE, related_name="auction")
    status = models.CharField(max_length=9, choices=Status, default=Status.OPEN)
    price = MoneyField(null=True, blank=True)
    # No index on what a bid changes: PostgreSQL then updates the row in place (HOT).
    leader = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, db_index=False, related_name="+"
    )
    leader_max = MoneyField(null=True, blank=True, help_text="The leader's hidden maximum.")
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
    sale_type = models.CharField(max_length=13, choices=SaleType, blank=True, default="", help_text="How it was sold.")
    closed_at = models.DateTimeField(null=True, blank=True)
    paid_at = models.DateTimeField(null=True, blank=True, help_text="When the winner paid.")
    payment_defaulted_at = models.DateTimeField(null=True, blank=True, help_text="When the winner's time to pay ended.")

    objects: ClassVar[Any] = AuctionQuerySet.as_manager()

    class Meta:
        # ends_at changes with a soft close only; nothing else that a bid changes is indexed (ADR 0004).
        indexes = (
            models.Index(fields=("ends_at", "product"), name="auction_open_by_end", condition=Q(status="open")),
            models.Index(fields=("ends_at", "product"), name="auction_by_end"),
            models.Index(fields=("starts_at", "product"), name="auction_open_by_start", condition=Q(status="open")),
        )
        constraints = (
            models.CheckConstraint(
                condition=Q(starts_at__lt=F("ends_at")) & Q(ends_at__lte=F("hard_ends_at")),
                name="auction_times_in_order",
            ),
            models.CheckConstraint(
                condition=Q(leader__isnull=True, price__isnull=True, leader_max__isnull=True)
                | Q(leader__isnull=False, price__isnull=False, leader_max__gte=F("price")),
                name="auction_leader_covers_price",
            ),
            models.CheckConstraint(
                condition=Q(status="open", result="", closed_at__isnull=True)
                | (~Q(status="open") & ~Q(result="") & Q(closed_at__isnull=False)),
                name="auction_result_iff_closed",
            ),
            models.CheckConstraint(
                condition=(Q(status="sold", winner__isnull=False, hammer_price__isnull=False) & ~Q(sale_type=""))
                | (~Q(status="sold") & Q(winner__isnull=True, hammer_price__isnull=True, sale_type="")),
                name="auction_winner_iff_sold",
            ),
            models.CheckConstraint(
                condition=Q(paid_at__isnull=True, payment_defaulted_at__isnull=True)
                | Q(status="sold", paid_at__isnull=True)
                | Q(status="sold", payment_defaulted_at__isnull=True),
                name="auction_paid_or_defaulted",
            ),
        )

    def __str__(self) -> str:
        return f"Auction of product {self.product_id}"

    @property
    def is_unsold(self) -> bool:
        """Whether it found no buyer, or its buyer did not pay."""
        return self.status == self.Status.UNSOLD or self.payment_defaulted_at is not None

    def state(self) -> State:
        """Return the state on which the next bid is evaluated."""
        return State(
            starts_at=self.starts_at,
            ends_at=self.ends_at,
            hard_ends_at=self.hard_ends_at,
            open=self.status == self.Status.OPEN,
            leader=self.leader_id,
            leader_max=self.leader_max,
            price=self.price,
            bid_count=self.bid_count,
            last_bid_at=self.last_bid_at,
        )

    def apply(self, state: State) -> None:
        """Set leader, maximum, price and bid count from a state; the caller saves."""
        self.leader_id, self.leader_max, self.price = state.leader, state.leader_max, state.price
        self.bid_count = state.bid_count
