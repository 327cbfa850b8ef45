"""Second-chance offers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from auctioncraft.core.model_fields import MoneyField
from auctioncraft.core.pricing import SaleTerms
from auctions.models.product import Product

if TYPE_CHECKING:
    from datetime import datetime


class SecondChanceOfferQuerySet(models.QuerySet["SecondChanceOffer"]):
    """Named queries."""

    def open(self) -> SecondChanceOfferQuerySet:
        """Return the unanswered offers; at most one per product."""
        return self.filter(status=SecondChanceOffer.Status.OFFERED)

    def due_to_expire(self, now: datetime) -> SecondChanceOfferQuerySet:
        """Return the open offers that have expired, the longest overdue first."""
        return self.open().filter(expires_at__lte=now).order_by("expires_at")


class SecondChanceOffer(models.Model):
    """An offer to buy a product whose winner did not pay."""

    class Status(models.TextChoices):
        """First offered, then one of the others."""

        OFFERED = "offered"
        ACCEPTED = "accepted"
        DECLINED = "declined"
        LAPSED = "lapsed"

    product = models.ForeignKey(Product, on_delete=models.PROTECT, db_index=False, related_name="second_chances")
    bidder = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="second_chances")
    amount = MoneyField(help_text="The hammer price: what the auction would have come to without the winner's bids.")
    terms = models.JSONField(help_text="Currency, shipping and premium bands of the offer.")
    status = models.CharField(max_length=8, choices=Status, default=Status.OFFERED)
    offered_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[Any] = SecondChanceOfferQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        indexes = (models.Index(fields=("expires_at",), name="second_chance_open", condition=Q(status="offered")),)
        constraints = (
            models.UniqueConstraint(
                fields=("product",), condition=Q(status="offered"), name="one_open_second_chance_per_product"
            ),
            models.UniqueConstraint(fields=("product", "bidder"), name="one_second_chance_per_bidder"),
            models.CheckConstraint(
                condition=Q(status="offered", answered_at__isnull=True)
                | (~Q(status="offered") & Q(answered_at__isnull=False)),
                name="second_chance_answered_iff_closed",
            ),
        )

    def __str__(self) -> str:
        return f"Second chance {self.pk}"

    @property
    def costs(self) -> dict[str, Any]:
        """Return what the bidder would owe."""
        return self.sale_terms.breakdown(self.amount)

    @property
    def sale_terms(self) -> SaleTerms:
        """Return the terms of the offer."""
        return SaleTerms.from_json(self.terms)
