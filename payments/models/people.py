"""Buyers' cards and sellers' accounts at Stripe, and what sellers are due."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now, Round

from auctioncraft.db import MoneyField
from payments.models.orders import Order


class Customer(models.Model):
    """A buyer as Stripe knows them: whose saved cards are whose.

    Source: https://docs.stripe.com/api/customers
    """

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="stripe_customer")
    customer_id = models.CharField(max_length=255, unique=True, null=True, blank=True)
    idempotency_key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    created_at = models.DateTimeField(db_default=Now())
    # Set when the account is erased: the worker deletes the customer at Stripe, then this row.
    to_delete = models.BooleanField(default=False)

    def __str__(self) -> str:
        return self.customer_id or f"Customer {self.pk}"


class SavedCard(models.Model):
    """A card that a buyer keeps at Stripe for later; of the card itself we hold what a receipt shows."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="saved_cards")
    payment_method_id = models.CharField(max_length=255, unique=True)
    brand = models.CharField(max_length=20)
    last4 = models.CharField(max_length=4)
    exp_month = models.PositiveSmallIntegerField()
    exp_year = models.PositiveSmallIntegerField()
    charge_when_winning = models.BooleanField(default=False, help_text="Its owner wants wins charged to it at once.")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=("user",), condition=Q(charge_when_winning=True), name="one_card_charged_when_winning"
            ),
        )

    def __str__(self) -> str:
        return f"{self.brand} {self.last4}"


class SellerAccount(models.Model):
    """A seller's account at Stripe Connect, as Stripe last described it.

    Source: https://docs.stripe.com/api/accounts/object
    """

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="seller_account")
    account_id = models.CharField(max_length=255, unique=True, null=True, blank=True)
    idempotency_key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    details_submitted = models.BooleanField(default=False)
    charges_enabled = models.BooleanField(default=False)
    payouts_enabled = models.BooleanField(default=False)
    transfers_active = models.BooleanField(default=False)
    requirements = models.JSONField(default=list, blank=True, help_text="What Stripe still wants to know: its names.")
    disabled_reason = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.account_id or f"SellerAccount {self.pk}"

    @property
    def is_able(self) -> bool:
        """Whether money can be sent to it and paid out of it."""
        return self.transfers_active and self.payouts_enabled


class Payout(models.Model):
    """What a seller is due of a paid order: all but the buyer's premium and the house's commission."""

    class Route(models.TextChoices):
        """How it reaches the seller: with the payment, by a transfer of ours, or by hand from the staff's report."""

        DESTINATION = "destination"
        TRANSFER = "transfer"
        MANUAL = "manual"

    class Status(models.TextChoices):
        """`blocked`: the seller's account cannot take it, or a dispute is open."""

        BLOCKED = "blocked"
        DUE = "due"
        PAID = "paid"

    LIVE: ClassVar[tuple[str, ...]] = (Status.BLOCKED, Status.DUE)

    order = models.OneToOneField(Order, on_delete=models.PROTECT, related_name="payout")
    seller = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="payouts")
    currency = models.CharField(max_length=3)
    gross = MoneyField(help_text="What the buyer paid.")
    fee = MoneyField(help_text="What the house keeps of it.")
    amount = MoneyField(help_text="What the seller is due of it.")
    reversed = MoneyField(default=Decimal(0), help_text="What was taken back of it for refunds and lost disputes.")
    route = models.CharField(max_length=11, choices=Route)
    status = models.CharField(max_length=7, choices=Status)
    blocked_by = models.CharField(max_length=30, blank=True, help_text="Why it is blocked.")
    idempotency_key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    transfer_id = models.CharField(max_length=255, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    error = models.CharField(max_length=100, blank=True, help_text="Stripe's code for the last try that failed.")
    created_at = models.DateTimeField(db_default=Now())
    paid_at = models.DateTimeField(null=True, blank=True)
    paid_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta:
        ordering = ("-id",)
        indexes = (models.Index(fields=("id",), name="payout_live", condition=Q(status__in=("blocked", "due"))),)
        constraints = (
            models.CheckConstraint(
                condition=Q(gross=Round(F("fee") + F("amount"), precision=3), amount__gte=0, fee__gte=0),
                name="payout_adds_up",
            ),
            models.CheckConstraint(
                condition=Q(reversed__gte=0, reversed__lte=F("amount")), name="payout_reversed_at_most_all"
            ),
            models.CheckConstraint(
                condition=Q(status="paid", paid_at__isnull=False) | (~Q(status="paid") & Q(paid_at__isnull=True)),
                name="payout_paid_at_iff_paid",
            ),
        )

    def __str__(self) -> str:
        return f"Payout of order {self.order_id}"
