"""What is owed, what was paid, and what Stripe said."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now, Round

from auctioncraft.db import MoneyField
from auctions.models import Product


class OrderQuerySet(models.QuerySet["Order"]):
    """Named reads."""

    def visible_to(self, user: Any) -> OrderQuerySet:
        """Return the orders that `user` buys or sells in; staff see all."""
        return self if user.is_staff else self.filter(Q(buyer_id=user.pk) | Q(seller_id=user.pk))

    def with_parties(self) -> OrderQuerySet:
        """Read what an answer names beside the order itself in the same query."""
        return self.select_related("product", "buyer", "seller")

    def locked(self, pk: int) -> Order:
        """Return the order under its row lock, with its parties. Lock order: StripeEvent, Auction, Order, Payment."""
        return self.with_parties().select_for_update(no_key=True, of=("self",)).get(pk=pk)


class Order(models.Model):
    """What a buyer owes for a product that was sold to them."""

    class Status(models.TextChoices):
        """Forward only; `paid` never falls back."""

        AWAITING_PAYMENT = "awaiting_payment"
        PAID = "paid"
        EXPIRED = "expired"
        CANCELLED = "cancelled"

    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="orders")
    buyer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="purchases")
    seller = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="sales")
    currency = models.CharField(max_length=3)
    hammer_price = MoneyField()
    buyers_premium = MoneyField(default=Decimal(0))
    shipping = MoneyField(default=Decimal(0))
    total = MoneyField()
    status = models.CharField(max_length=16, choices=Status, default=Status.AWAITING_PAYMENT)
    due_at = models.DateTimeField()
    created_at = models.DateTimeField(db_default=Now())
    paid_at = models.DateTimeField(null=True, blank=True)
    expired_at = models.DateTimeField(null=True, blank=True)
    reminders = models.PositiveSmallIntegerField(default=0, help_text="How many times its buyer was reminded to pay.")

    objects: ClassVar[Any] = OrderQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "-id")
        indexes = (
            models.Index(fields=("due_at",), name="order_unpaid_by_due", condition=Q(status="awaiting_payment")),
        )
        constraints = (
            models.UniqueConstraint(
                fields=("product",),
                condition=Q(status__in=("awaiting_payment", "paid")),
                name="one_live_order_per_product",
            ),
            models.CheckConstraint(
                # Rounded, because SQLite adds in binary: 0.1 + 0.2 is not 0.3 there.
                condition=Q(total=Round(F("hammer_price") + F("buyers_premium") + F("shipping"), precision=3)),
                name="order_total_adds_up",
            ),
            models.CheckConstraint(
                condition=Q(status="paid", paid_at__isnull=False) | (~Q(status="paid") & Q(paid_at__isnull=True)),
                name="order_paid_at_iff_paid",
            ),
            models.CheckConstraint(
                condition=Q(status="expired", expired_at__isnull=False)
                | (~Q(status="expired") & Q(expired_at__isnull=True)),
                name="order_expired_at_iff_expired",
            ),
        )

    def __str__(self) -> str:
        return f"Order {self.pk}"


class PaymentQuerySet(models.QuerySet["Payment"]):
    """Named reads."""

    def live(self) -> PaymentQuerySet:
        """Return the payments that may still be paid: at most one per order."""
        return self.filter(status__in=(Payment.Status.CREATING, Payment.Status.OPEN))

    def locked(self, pk: int) -> Payment:
        """Return the payment under its row lock; its order is locked before it."""
        return self.select_for_update(no_key=True, of=("self",)).get(pk=pk)


class Payment(models.Model):
    """One PaymentIntent at Stripe, or our intent to make one: the key is stored before Stripe is called."""

    class Status(models.TextChoices):
        """How far it has come."""

        CREATING = "creating"
        OPEN = "open"
        SUCCEEDED = "succeeded"
        # Money came in that the order could not take (paid already, expired, cancelled): to be refunded.
        SURPLUS = "surplus"
        CANCELED = "canceled"

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="payments")
    idempotency_key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    intent_id = models.CharField(max_length=255, unique=True, null=True, blank=True)
    amount = MoneyField()
    currency = models.CharField(max_length=3)
    status = models.CharField(max_length=9, choices=Status, default=Status.CREATING)
    last_error = models.CharField(max_length=200, blank=True, help_text="Stripe's code for the last decline.")
    created_at = models.DateTimeField(db_default=Now())
    succeeded_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[Any] = PaymentQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=("order",), condition=Q(status__in=("creating", "open")), name="one_live_payment_per_order"
            ),
            models.UniqueConstraint(
                fields=("order",), condition=Q(status="succeeded"), name="one_succeeded_payment_per_order"
            ),
        )

    def __str__(self) -> str:
        return self.intent_id or f"Payment {self.pk}"

    @property
    def is_live(self) -> bool:
        """Whether it may still be paid."""
        return self.status in {self.Status.CREATING, self.Status.OPEN}


class StripeEvent(models.Model):
    """A verified webhook delivery, kept before it is acted on; its id makes repeats harmless."""

    id = models.CharField(max_length=255, primary_key=True)
    type = models.CharField(max_length=100)
    payload = models.JSONField()
    received_at = models.DateTimeField(db_default=Now())
    processed_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True, help_text="Why the last try to act on it failed.")
    flag = models.CharField(max_length=100, blank=True, help_text="What staff should look at, if anything.")

    class Meta:
        ordering = ("-received_at",)
        indexes = (
            models.Index(fields=("received_at",), name="stripe_event_waiting", condition=Q(processed_at__isnull=True)),
        )

    def __str__(self) -> str:
        return self.id
