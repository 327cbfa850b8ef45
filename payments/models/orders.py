"""What a buyer owes, and what happened to it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now, Round

from auctioncraft.core.model_fields import MoneyField
from auctioncraft.core.retry import RetryModel
from auctions.models import Product


class OrderQuerySet(models.QuerySet["Order"]):
    """Named reads."""

    def visible_to(self, user: Any) -> OrderQuerySet:
        """Return the orders that `user` buys or sells in; staff see all."""
        return self if user.is_staff else self.filter(Q(buyer_id=user.pk) | Q(seller_id=user.pk))

    def with_parties(self) -> OrderQuerySet:
        """Read what an answer names beside the order itself in the same query."""
        return self.select_related("product", "buyer", "seller")

    def with_money(self) -> OrderQuerySet:
        """Read what came in for it, went back and is disputed in a query each."""
        return self.prefetch_related("payments__refunds", "payments__disputes")

    def locked(self, pk: int) -> Order:
        """Return the order under its row lock, with its parties. Lock order: docs/concurrency.md."""
        return self.with_parties().select_for_update(no_key=True, of=("self",)).get(pk=pk)


class Order(RetryModel):
    """What a buyer owes for a product that was sold to them."""

    class Status(models.TextChoices):
        """Forward only; `paid` never falls back."""

        AWAITING_PAYMENT = "awaiting_payment"
        PAID = "paid"
        EXPIRED = "expired"

    class AutoCharge(models.TextChoices):
        """Whether the winner's saved card is charged without them: tried once, the rest is theirs to pay."""

        DUE = "due"
        DONE = "done"

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
    reminders_sent = models.PositiveSmallIntegerField(
        default=0, help_text="How many times its buyer was reminded to pay."
    )
    refunded = MoneyField(
        default=Decimal(0), help_text="Refunds of the payment that paid it, as far as they succeeded."
    )
    auto_charge = models.CharField(max_length=4, choices=AutoCharge, blank=True)

    objects: ClassVar[Any] = OrderQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "-id")
        indexes = (
            models.Index(fields=("due_at",), name="order_unpaid_by_due", condition=Q(status="awaiting_payment")),
            models.Index(fields=("next_attempt_at",), name="order_to_charge", condition=Q(auto_charge="due")),
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
            models.CheckConstraint(
                condition=Q(refunded__gte=0, refunded__lte=F("total")), name="order_refunded_at_most_its_total"
            ),
        )

    def __str__(self) -> str:
        return f"Order {self.pk}"


class OrderEvent(models.Model):
    """One thing that happened to an order: what, when, by whom, and its status from then on. Insert only.

    Written in the transaction of the change, only by services/order_log.py.
    """

    class Kind(models.TextChoices):
        """What happened. Public names."""

        OPENED = "opened"
        PAYMENT_STARTED = "payment_started"
        PAYMENT_FAILED = "payment_failed"
        PAID = "paid"
        SURPLUS = "surplus"
        REMINDED = "reminded"
        EXPIRED = "expired"
        REFUND_REQUESTED = "refund_requested"
        REFUNDED = "refunded"
        REFUND_FAILED = "refund_failed"
        DISPUTED = "disputed"
        DISPUTE_CLOSED = "dispute_closed"
        PAID_OUT = "paid_out"
        PAYOUT_HELD = "payout_held"
        PAYOUT_RELEASED = "payout_released"

    class Role(models.TextChoices):
        """The role of the actor."""

        BUYER = "buyer"
        SELLER = "seller"
        STAFF = "staff"
        STRIPE = "stripe"
        SYSTEM = "system"

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="history")
    kind = models.CharField(max_length=20, choices=Kind)
    status = models.CharField(max_length=16, choices=Order.Status)
    role = models.CharField(max_length=6, choices=Role)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    data = models.JSONField(default=dict, blank=True, help_text="Amounts and reasons; nothing that identifies anybody.")
    at = models.DateTimeField()

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.order_id}: {self.kind}"
