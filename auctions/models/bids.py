"""What happened: bids and public events, inserted and never changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.db import models
from uuid_utils.compat import uuid7

from auctioncraft.core.clock import DatabaseNow
from auctioncraft.core.model_fields import MoneyField
from auctions.formats.base import BidRequest, Outcome
from auctions.models.product import Product

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime


class BidQuerySet(models.QuerySet["Bid"]):
    """Named reads."""

    def history(self, product_id: int) -> models.QuerySet[Any]:
        """Return the public rows of a product, newest first, as dicts: a raised maximum is not among them."""
        return (
            self.filter(product_id=product_id, seq__isnull=False)
            .order_by("-version", "-position")
            .annotate(server_time=DatabaseNow())
            .values(
                "id", "seq", "bidder_id", "displayed_amount", "outcome", "placed_at", "server_time", "void__voided_at"
            )
        )

    def valid(self) -> BidQuerySet:
        """Return the bids that were not voided."""
        return self.filter(void__isnull=True)

    def made_by_people(self) -> BidQuerySet:
        """Return what people bid, without what their proxies did for them."""
        return self.exclude(outcome=Outcome.AUTOMATIC)

    def requests(self) -> Iterator[tuple[BidRequest, datetime]]:
        """Yield each bid as sent and when it was placed, oldest first."""
        rows = self.order_by("product", "version").values_list("bidder_id", "amount", "max_amount", "placed_at")
        for bidder, amount, max_amount, placed_at in rows.iterator():
            yield BidRequest(bidder, amount, max_amount), placed_at

    def made_by(self, user_id: int) -> BidQuerySet:
        """Return what a person bid and was not voided, without what their proxy did for them."""
        return self.made_by_people().valid().filter(bidder_id=user_id)


class Bid(models.Model):
    """A row of a product's bids: one that somebody made, or one that the leader's proxy made for them.

    Ordered by (product, version, position). `seq` is that of its public event; a raised maximum that moved nothing
    public has none and is not in the history. Written by services/bid_store alone, never changed or deleted.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    product = models.ForeignKey(Product, on_delete=models.PROTECT, db_index=False, related_name="bids")
    version = models.PositiveBigIntegerField(help_text="The auction's version that it made.")
    position = models.PositiveSmallIntegerField(default=0, help_text="Its place among the rows of one write.")
    seq = models.PositiveBigIntegerField(null=True, blank=True)
    bidder = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, db_index=False, related_name="bids")
    displayed_amount = MoneyField(help_text="What it stood at in the history.")
    amount = MoneyField(null=True, blank=True, help_text="The open bid as sent.")
    max_amount = MoneyField(null=True, blank=True, help_text="The proxy's maximum as sent.")
    outcome = models.CharField(max_length=14, choices=[(outcome.value, outcome.value) for outcome in Outcome])
    placed_at = models.DateTimeField()

    objects: ClassVar[Any] = BidQuerySet.as_manager()

    class Meta:
        ordering = ("product", "version", "position")
        constraints = (models.UniqueConstraint(fields=("product", "version", "position"), name="bid_order"),)
        indexes = (models.Index(fields=("bidder", "product"), name="bid_by_bidder"),)

    def __str__(self) -> str:
        return f"{self.displayed_amount} on product {self.product_id}"

    @property
    def automatic(self) -> bool:
        """Whether a proxy made it."""
        return self.outcome == Outcome.AUTOMATIC


class BidVoid(models.Model):
    """Staff declared a bid void. The bid itself stays as it was; what stands is what the others give."""

    bid = models.OneToOneField(Bid, primary_key=True, on_delete=models.PROTECT, related_name="void")
    # Again here, so that the voids of a product are found without its bids.
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="voids")
    version = models.PositiveBigIntegerField(help_text="The auction's version that it made.")
    reason = models.CharField(max_length=500, help_text="For those whom it concerns.")
    voided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, db_index=False, related_name="+")
    voided_at = models.DateTimeField()

    class Meta:
        verbose_name = "voided bid"
        constraints = (models.UniqueConstraint(fields=("product", "version"), name="void_order"),)

    def __str__(self) -> str:
        return f"Void of bid {self.bid_id}"


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
    data = models.JSONField(help_text="What everybody may know.")
    private = models.JSONField(default=dict, help_text="Whom it concerns, by user id: for notices and the audit.")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("product", "seq")
        constraints = (models.UniqueConstraint(fields=("product", "seq"), name="event_order"),)
        # Next to all events are of bids; check_invariants asks for the others, and a bid does not pay for it.
        indexes = (
            models.Index(
                fields=("kind", "product"), name="event_other_than_bid", condition=~models.Q(kind="bid_placed")
            ),
        )

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
