"""Bids, voids and public events: inserted, never changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.db import models
from uuid_utils.compat import uuid7

from auctioncraft.core.clock import DatabaseNow
from auctioncraft.core.model_fields import MoneyField
from auctioncraft.core.pricing import SaleTerms
from auctions.formats.base import BidRequest, Outcome
from auctions.models.product import Product

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime


class BidQuerySet(models.QuerySet["Bid"]):
    """Named queries."""

    def history(self, product_id: int, *more: str) -> Any:
        """Return a product's public bid history with the columns of `more`, newest first, without raised maxima."""
        return (
            self.filter(product_id=product_id, seq__isnull=False)
            .order_by("-version", "-position")
            .annotate(server_time=DatabaseNow())
            .values(
                "seq", "bidder_id", "displayed_amount", "outcome", "placed_at", "server_time", "void__voided_at", *more
            )
        )

    def valid(self) -> BidQuerySet:
        """Return the bids that are not voided."""
        return self.filter(void__isnull=True)

    def made_by_people(self) -> BidQuerySet:
        """Return the bids that people placed, without those of proxies."""
        return self.exclude(outcome=Outcome.AUTOMATIC)

    def requests(self) -> Iterator[tuple[BidRequest, datetime]]:
        """Yield each bid as sent and when it was placed, oldest first."""
        rows = self.order_by("product", "version").values_list("bidder_id", "amount", "max_amount", "placed_at")
        for bidder, amount, max_amount, placed_at in rows.iterator():
            yield BidRequest(bidder, amount, max_amount), placed_at

    def terms_of_leader(self, product_id: int, user_id: int) -> SaleTerms:
        """Return the terms under which a leader made the bid that leads: their latest valid one."""
        bids = self.made_by(user_id).filter(product_id=product_id).order_by("-version")
        latest: Any = bids.values_list("terms", flat=True)[0]
        return SaleTerms.from_json(latest)

    def made_by(self, user_id: int) -> BidQuerySet:
        """Return the valid bids that a person placed, without those of their proxy."""
        return self.made_by_people().valid().filter(bidder_id=user_id)


class Bid(models.Model):
    """A bid by a person, or by the proxy of the leader.

    Ordered by (product, version, position). `seq` is that of its public event; a raised maximum has none and is not in
    the public history. Only services/bid_store writes bids; they are never changed or deleted.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    product = models.ForeignKey(Product, on_delete=models.PROTECT, db_index=False, related_name="bids")
    version = models.PositiveBigIntegerField(help_text="The auction's version after it.")
    position = models.PositiveSmallIntegerField(default=0, help_text="Order within one write.")
    seq = models.PositiveBigIntegerField(null=True, blank=True)
    bidder = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, db_index=False, related_name="bids")
    displayed_amount = MoneyField(help_text="The amount in the public history.")
    amount = MoneyField(null=True, blank=True, help_text="The open amount, as sent.")
    max_amount = MoneyField(null=True, blank=True, help_text="The proxy's maximum, as sent.")
    outcome = models.CharField(max_length=14, choices=[(outcome.value, outcome.value) for outcome in Outcome])
    placed_at = models.DateTimeField()
    terms = models.JSONField(
        null=True, help_text="Currency, shipping and premium bands when it was made. A proxy's: none."
    )

    objects: ClassVar[Any] = BidQuerySet.as_manager()

    class Meta:
        ordering = ("product", "version", "position")
        constraints = (models.UniqueConstraint(fields=("product", "version", "position"), name="bid_order"),)
        indexes = (models.Index(fields=("bidder", "product"), name="bid_by_bidder"),)

    def __str__(self) -> str:
        return f"{self.displayed_amount} on product {self.product_id}"

    @property
    def automatic(self) -> bool:
        """Whether a proxy placed it."""
        return self.outcome == Outcome.AUTOMATIC


class BidVoid(models.Model):
    """A bid that staff voided. The bid stays as it was; the auction follows from the others."""

    bid = models.OneToOneField(Bid, primary_key=True, on_delete=models.PROTECT, related_name="void")
    # Repeated here to find the voids of a product without its bids.
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="voids")
    version = models.PositiveBigIntegerField(help_text="The auction's version after it.")
    reason = models.CharField(max_length=500, help_text="Shown to everyone affected.")
    voided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.PROTECT,
        db_index=False,
        related_name="+",
        help_text="Empty: by the rules, at the close.",
    )
    voided_at = models.DateTimeField()

    class Meta:
        verbose_name = "voided bid"
        constraints = (models.UniqueConstraint(fields=("product", "version"), name="void_order"),)

    def __str__(self) -> str:
        return f"Void of bid {self.bid_id}"


class AuctionEvent(models.Model):
    """A public change of a product: `(product, seq)` without gaps, written with the change itself."""

    class Kind(models.TextChoices):
        """The kind of change."""

        BID_PLACED = "bid_placed"
        EXTENDED = "extended"
        CLOSED = "closed"
        CANCELLED = "cancelled"
        BID_VOIDED = "bid_voided"
        EDITED = "edited"
        RESERVE_WAIVED = "reserve_waived"
        SALE_FELL_THROUGH = "sale_fell_through"
        SECOND_CHANCE_OFFERED = "second_chance_offered"
        SECOND_CHANCE_ACCEPTED = "second_chance_accepted"
        SECOND_CHANCE_DECLINED = "second_chance_declined"
        SECOND_CHANCE_LAPSED = "second_chance_lapsed"
        RELISTED = "relisted"

    product = models.ForeignKey(Product, on_delete=models.PROTECT, db_index=False, related_name="events")
    seq = models.PositiveBigIntegerField()
    kind = models.CharField(max_length=22, choices=Kind)
    data = models.JSONField(help_text="Public details.")
    private = models.JSONField(default=dict, help_text="User IDs and reasons, for notifications and the audit.")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("product", "seq")
        constraints = (models.UniqueConstraint(fields=("product", "seq"), name="event_order"),)
        # Most events are bids; check_invariants reads the others, and bids need not maintain this index.
        indexes = (
            models.Index(
                fields=("kind", "product"), name="event_other_than_bid", condition=~models.Q(kind="bid_placed")
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.seq} of product {self.product_id}"


class EventOutbox(models.Model):
    """An event to process: inserted with it, deleted once its notifications are written."""

    product_id = models.BigIntegerField()
    seq = models.PositiveBigIntegerField()

    class Meta:
        verbose_name_plural = "event outbox"

    def __str__(self) -> str:
        return f"event {self.seq} of product {self.product_id}"
