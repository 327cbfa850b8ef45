"""What sellers are due, what has reached them, and what is taken back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now, Round

from auctioncraft.core.model_fields import MoneyField
from auctioncraft.core.retry import RetryModel
from payments.models.orders import Order
from payments.models.stripe import StripeKeyModel


class PayoutQuerySet(models.QuerySet["Payout"]):
    """Named reads."""

    def owed(self) -> PayoutQuerySet:
        """Return the payouts of which sellers are still to get something."""
        # Rounded, because SQLite adds in binary.
        return self.filter(amount__gt=Round(F("clawed_back") + F("transferred"), precision=3))


class SellerHold(models.Model):
    """Nothing is paid to a seller from `held_at` until staff release it (services/holds.py)."""

    seller = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="payout_holds")
    reason = models.CharField(max_length=500)
    held_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="Empty: the account is disabled, and nobody knows by whom.",
    )
    held_at = models.DateTimeField()
    release_reason = models.CharField(max_length=500, blank=True)
    released_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    released_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=("seller",), condition=Q(released_at__isnull=True), name="one_open_hold_per_seller"
            ),
            models.CheckConstraint(
                condition=Q(released_at__isnull=True, released_by__isnull=True, release_reason="")
                | Q(Q(released_at__isnull=False, released_by__isnull=False) & ~Q(release_reason="")),
                name="hold_released_by_somebody_for_a_reason",
            ),
        )

    def __str__(self) -> str:
        return f"Hold {self.pk} of the payouts to {self.seller_id}"


class Payout(StripeKeyModel, RetryModel):
    """What a seller is due of a paid order: all but the buyer's premium and the commission."""

    class Route(models.TextChoices):
        """How it reaches the seller: with the payment, by our transfer, by hand from the payout report, or outside.

        `outside`: the seller has received the buyer's money themselves.
        """

        DESTINATION = "destination"
        TRANSFER = "transfer"
        MANUAL = "manual"
        OUTSIDE = "outside"

    class Status(models.TextChoices):
        """`blocked`: the account cannot take it, or a dispute is open. `held`: until staff release it.

        `void`: all went back before it was paid. `outside`: the seller has the money, see the route.
        """

        BLOCKED = "blocked"
        DUE = "due"
        HELD = "held"
        PAID = "paid"
        VOID = "void"
        OUTSIDE = "outside"

    UNPAID_STATUSES: ClassVar[tuple[str, ...]] = (Status.BLOCKED, Status.DUE, Status.HELD)

    order = models.OneToOneField(Order, on_delete=models.PROTECT, related_name="payout")
    seller = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="payouts")
    currency = models.CharField(max_length=3)
    gross = MoneyField(help_text="What the buyer paid.")
    fee = MoneyField(help_text="The auction house's part of it.")
    amount = MoneyField(help_text="What the seller is due of it.")
    refunded_gross = MoneyField(default=Decimal(0), help_text="What of the gross the buyer got back.")
    clawed_back = MoneyField(default=Decimal(0), help_text="The seller's share of that.")
    transferred = MoneyField(default=Decimal(0), help_text="What the seller has of it now.")
    transfer_pending = MoneyField(
        null=True, blank=True, help_text="What Stripe was asked to send; its answer is not known yet."
    )
    transfer_requested_at = models.DateTimeField(null=True, blank=True, help_text="When Stripe was first asked for it.")
    route = models.CharField(max_length=11, choices=Route)
    status = models.CharField(max_length=7, choices=Status)
    blocked_by = models.CharField(max_length=30, blank=True, help_text="Why it is blocked.")
    stripe_transfer_id = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    paid_at = models.DateTimeField(null=True, blank=True)
    paid_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    objects: ClassVar[Any] = PayoutQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        indexes = (
            models.Index(fields=("id",), name="payout_unpaid", condition=Q(status__in=("blocked", "due", "held"))),
            models.Index(
                fields=("next_attempt_at",),
                name="payout_to_transfer",
                condition=Q(Q(status__in=("blocked", "due")) | Q(transfer_pending__isnull=False), route="transfer"),
            ),
            models.Index(fields=("paid_at",), name="payout_transferred", condition=Q(route="transfer")),
        )
        constraints = (
            models.CheckConstraint(
                condition=Q(gross=Round(F("fee") + F("amount"), precision=3), amount__gte=0, fee__gte=0),
                name="payout_adds_up",
            ),
            models.CheckConstraint(
                condition=Q(
                    clawed_back__gte=0,
                    clawed_back__lte=F("amount"),
                    refunded_gross__gte=0,
                    refunded_gross__lte=F("gross"),
                ),
                name="payout_clawed_back_at_most_all",
            ),
            models.CheckConstraint(
                condition=Q(transferred__gte=0, transferred__lte=F("amount")),
                name="payout_transferred_at_most_its_amount",
            ),
            models.CheckConstraint(
                condition=Q(status="paid", paid_at__isnull=False) | (~Q(status="paid") & Q(paid_at__isnull=True)),
                name="payout_paid_at_iff_paid",
            ),
        )

    def __str__(self) -> str:
        return f"Payout of order {self.order_id}"

    @property
    def owed(self) -> Decimal:
        """What the seller is still to get; below zero, what they are to give back."""
        left: Decimal = self.amount - self.clawed_back - self.transferred
        return left


class TransferReversalQuerySet(models.QuerySet["TransferReversal"]):
    """Named reads."""

    def pending(self) -> TransferReversalQuerySet:
        """Return the reversals that Stripe has yet to make."""
        return self.filter(completed_at__isnull=True, canceled_at__isnull=True)


class TransferReversal(StripeKeyModel, RetryModel):
    """A seller's share on its way back from their account: stored before Stripe is asked.

    A refund waits for it, unless staff forced the refund. A refund of Stripe's dashboard and a lost dispute do not.
    Source: https://docs.stripe.com/api/transfer_reversals
    """

    payout = models.ForeignKey(Payout, on_delete=models.PROTECT, related_name="reversals")
    stripe_reversal_id = models.CharField(max_length=255, unique=True, null=True, blank=True)
    amount = MoneyField()
    created_at = models.DateTimeField(db_default=Now())
    completed_at = models.DateTimeField(null=True, blank=True)
    canceled_at = models.DateTimeField(
        null=True, blank=True, help_text="Stripe refused it, or its refund failed before it was sent."
    )

    objects: ClassVar[Any] = TransferReversalQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        indexes = (
            models.Index(
                fields=("next_attempt_at",),
                name="reversal_to_send",
                condition=Q(completed_at__isnull=True, canceled_at__isnull=True),
            ),
            models.Index(fields=("completed_at",), name="reversal_completed", condition=Q(completed_at__isnull=False)),
        )
        constraints = (
            models.CheckConstraint(condition=Q(amount__gt=0), name="reversal_above_zero"),
            models.CheckConstraint(
                condition=Q(completed_at__isnull=True) | Q(canceled_at__isnull=True),
                name="reversal_completed_or_canceled",
            ),
            models.CheckConstraint(
                condition=Q(completed_at__isnull=True, stripe_reversal_id__isnull=True)
                | Q(completed_at__isnull=False, stripe_reversal_id__isnull=False),
                name="reversal_completed_at_iff_made",
            ),
        )

    @property
    def currency(self) -> str:
        """The payout's."""
        return self.payout.currency

    def __str__(self) -> str:
        return self.stripe_reversal_id or f"TransferReversal {self.pk}"
