"""What was paid, given back, or taken back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar, Final

from django.conf import settings
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Now

from auctioncraft.core.model_fields import MoneyField
from auctioncraft.core.retry import RetryModel
from payments.models.orders import Order
from payments.models.stripe import StripeKeyModel


class Method(models.TextChoices):
    """How money came or went back: by Stripe, or outside it, and then recorded here by a person."""

    STRIPE = "stripe"
    BANK_TRANSFER = "bank_transfer"
    CASH = "cash"
    CHECK = "check"
    OTHER = "other"


# As far as a person can record one.
RECORDED_METHODS: Final = tuple(choice for choice in Method.choices if choice[0] != Method.STRIPE)


class RecordedModel(models.Model):
    """A payment or a refund that may have been made outside Stripe."""

    method = models.CharField(max_length=13, choices=Method, default=Method.STRIPE)
    reference = models.CharField(max_length=200, blank=True, help_text="Of a recorded one: where to find it.")
    dated = models.DateField(null=True, blank=True, help_text="Of a recorded one: the day on which the money moved.")

    class Meta:
        abstract = True

    @property
    def is_recorded(self) -> bool:
        """Whether it was made outside Stripe."""
        return self.method != Method.STRIPE


class PaymentQuerySet(models.QuerySet["Payment"]):
    """Named reads."""

    def live(self) -> PaymentQuerySet:
        """Return the payments that may still be paid: at most one per order."""
        return self.filter(status__in=(Payment.Status.CREATING, Payment.Status.OPEN))

    def locked(self, pk: int) -> Payment:
        """Return the payment under its row lock; its order is locked before it."""
        return self.select_for_update(no_key=True, of=("self",)).get(pk=pk)


class Payment(StripeKeyModel, RetryModel, RecordedModel):
    """One PaymentIntent at Stripe, or our intent to make one: the key is stored before Stripe is called.

    Or money that was received outside Stripe, recorded by a person: it has a `method` and no intent.
    """

    class Status(models.TextChoices):
        """How far it has come."""

        CREATING = "creating"
        OPEN = "open"
        SUCCEEDED = "succeeded"
        # Money came in that the order could not take (paid already, expired): to be refunded.
        SURPLUS = "surplus"
        CANCELED = "canceled"

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="payments")
    stripe_intent_id = models.CharField(max_length=255, unique=True, null=True, blank=True)
    amount = MoneyField()
    currency = models.CharField(max_length=3)
    # The parameters of the intent: a key must always be sent with the same ones.
    stripe_customer_id = models.CharField(
        max_length=255, blank=True, help_text="The buyer's id at Stripe, if they have one."
    )
    destination = models.CharField(max_length=255, blank=True, help_text="The seller's account, if Stripe pays it out.")
    fee = MoneyField(default=Decimal(0), help_text="The auction house's part of a payment with a destination.")
    status = models.CharField(max_length=9, choices=Status, default=Status.CREATING)
    received = MoneyField(null=True, blank=True, help_text="What came in; of a surplus it may be another amount.")
    received_currency = models.CharField(max_length=3, blank=True)
    refunds_reserved = MoneyField(default=Decimal(0), help_text="The sum of its refunds that were not refused.")
    decline_code = models.CharField(max_length=200, blank=True, help_text="Stripe's code for the last decline.")
    recorded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now())
    succeeded_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[Any] = PaymentQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        indexes = (
            models.Index(
                fields=("next_attempt_at",), name="payment_live", condition=Q(status__in=("creating", "open"))
            ),
            models.Index(fields=("succeeded_at",), name="payment_received", condition=Q(received__isnull=False)),
        )
        constraints = (
            models.UniqueConstraint(
                fields=("order",), condition=Q(status__in=("creating", "open")), name="one_live_payment_per_order"
            ),
            models.UniqueConstraint(
                fields=("order",), condition=Q(status="succeeded"), name="one_succeeded_payment_per_order"
            ),
            models.CheckConstraint(
                condition=Q(status__in=("succeeded", "surplus"), received__isnull=False)
                | (~Q(status__in=("succeeded", "surplus")) & Q(received__isnull=True)),
                name="payment_received_iff_money_came",
            ),
            models.CheckConstraint(
                # Refunds never exceed the payment, whatever the code does.
                condition=Q(refunds_reserved=0) | Q(refunds_reserved__gt=0, refunds_reserved__lte=F("received")),
                name="payment_refunds_within_received",
            ),
            models.CheckConstraint(
                condition=Q(method="stripe", recorded_by__isnull=True, dated__isnull=True)
                | Q(
                    ~Q(method="stripe"),
                    recorded_by__isnull=False,
                    dated__isnull=False,
                    status="succeeded",
                    stripe_intent_id__isnull=True,
                ),
                name="payment_recorded_by_somebody_iff_outside_stripe",
            ),
        )

    def __str__(self) -> str:
        return self.stripe_intent_id or f"Payment {self.pk}"

    @property
    def is_live(self) -> bool:
        """Whether it may still be paid."""
        return self.status in {self.Status.CREATING, self.Status.OPEN}

    @property
    def refunds_reserved_currency(self) -> str:
        """The currency that came in: refunds go back in it."""
        return self.received_currency or self.currency

    @property
    def paid_its_order(self) -> bool:
        """Whether its money is what the order was paid with."""
        return self.status == self.Status.SUCCEEDED

    @property
    def refundable(self) -> Decimal:
        """What is left to refund, in the currency that came in."""
        left: Decimal = (self.received or Decimal(0)) - self.refunds_reserved
        return left


class RefundQuerySet(models.QuerySet["Refund"]):
    """Named reads."""

    def pending(self) -> RefundQuerySet:
        """Return the refunds that Stripe has not confirmed yet."""
        return self.filter(status=Refund.Status.CREATING)

    def sendable(self) -> RefundQuerySet:
        """Return the pending refunds that nothing is to come back for first, or that staff forced.

        While the outcome of a transfer to the seller is not known, neither is what is to come back.
        """
        unknown = Exists(Order.objects.filter(pk=OuterRef("payment__order_id"), payout__transfer_pending__isnull=False))
        ready = Q(~unknown, reversal__isnull=True) | Q(reversal__completed_at__isnull=False)
        return self.pending().filter(ready | ~Q(forced_reason=""))


class Refund(StripeKeyModel, RetryModel, RecordedModel):
    """Money going back to the buyer: stored before Stripe is asked, or found at Stripe, where staff may refund too.

    Of what the seller has already, `reversal` brings their share back first; with a `forced_reason` nobody waits for
    it, and the platform pays until it comes. Of a recorded payment the refund is recorded too.
    """

    class Status(models.TextChoices):
        """Stripe's words (https://docs.stripe.com/api/refunds/object), and `creating`: not confirmed by Stripe yet."""

        CREATING = "creating"
        PENDING = "pending"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        CANCELED = "canceled"

    class Reason(models.TextChoices):
        """Stripe's words."""

        DUPLICATE = "duplicate"
        FRAUDULENT = "fraudulent"
        REQUESTED_BY_CUSTOMER = "requested_by_customer"

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refunds")
    stripe_refund_id = models.CharField(max_length=255, unique=True, null=True, blank=True)
    amount = MoneyField()
    currency = models.CharField(max_length=3)
    reason = models.CharField(max_length=24, choices=Reason, blank=True)
    status = models.CharField(max_length=9, choices=Status, default=Status.CREATING)
    failure_code = models.CharField(
        max_length=100, blank=True, help_text="Stripe's code for why it did not go through."
    )
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now())
    settled_at = models.DateTimeField(null=True, blank=True)
    reversal = models.ForeignKey(
        "payments.TransferReversal", on_delete=models.PROTECT, null=True, blank=True, related_name="refunds"
    )
    forced_reason = models.CharField(
        max_length=500, blank=True, help_text="Why staff refund although the seller's share may not come back."
    )

    objects: ClassVar[Any] = RefundQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        indexes = (
            models.Index(fields=("id",), name="refund_not_settled", condition=Q(status__in=("creating", "pending"))),
            models.Index(fields=("next_attempt_at",), name="refund_to_send", condition=Q(status="creating")),
            models.Index(fields=("settled_at",), name="refund_settled", condition=Q(settled_at__isnull=False)),
        )
        constraints = (
            models.CheckConstraint(condition=Q(amount__gt=0), name="refund_above_zero"),
            models.CheckConstraint(
                condition=Q(method="stripe", dated__isnull=True)
                | Q(
                    ~Q(method="stripe"),
                    dated__isnull=False,
                    requested_by__isnull=False,
                    status="succeeded",
                    stripe_refund_id__isnull=True,
                ),
                name="refund_recorded_by_somebody_iff_outside_stripe",
            ),
            models.CheckConstraint(
                condition=Q(forced_reason="") | Q(requested_by__isnull=False), name="refund_forced_by_somebody"
            ),
        )

    def __str__(self) -> str:
        return self.stripe_refund_id or f"Refund {self.pk}"


class Dispute(models.Model):
    """A buyer's bank takes a payment back, for good if the dispute is lost.

    Source: https://docs.stripe.com/api/disputes/object
    """

    CLOSED_STATUSES: ClassVar[tuple[str, ...]] = ("won", "lost", "warning_closed", "prevented")
    # The money is with the bank. A warning only asks, and is best answered with a refund.
    STATUSES_BLOCKING_REFUNDS: ClassVar[tuple[str, ...]] = ("needs_response", "under_review", "lost")

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="disputes")
    stripe_dispute_id = models.CharField(max_length=255, unique=True)
    amount = MoneyField()
    currency = models.CharField(max_length=3)
    status = models.CharField(max_length=30, help_text="Stripe's word for its status.")
    reason = models.CharField(max_length=50, blank=True)
    evidence_due_at = models.DateTimeField(null=True, blank=True)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-opened_at", "-id")
        indexes = (models.Index(fields=("payment",), name="dispute_open", condition=Q(closed_at__isnull=True)),)

    def __str__(self) -> str:
        return self.stripe_dispute_id
