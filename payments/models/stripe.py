"""The key under which a row asks Stripe, what Stripe said, and how our rows compare with its own."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from auctioncraft.core.retry import RetryModel


class StripeKeyModel(models.Model):
    """A row that asks Stripe for something, once: its key is committed before the request (services/stripe_request.py).

    Source: https://docs.stripe.com/api/idempotent_requests
    """

    idempotency_key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)

    class Meta:
        abstract = True


class StripeEvent(RetryModel):
    """An event from Stripe, verified and stored before it is processed; its id makes repeats harmless."""

    class FoundBy(models.TextChoices):
        """How we came to know of it."""

        WEBHOOK = "webhook"
        RECONCILIATION = "reconciliation"

    id = models.CharField(max_length=255, primary_key=True)
    type = models.CharField(max_length=100)
    payload = models.JSONField()
    account = models.CharField(max_length=255, blank=True, help_text="The connected account it is of, if any.")
    created_at = models.DateTimeField(null=True, blank=True, help_text="When it happened at Stripe.")
    found_by = models.CharField(max_length=14, choices=FoundBy, default=FoundBy.WEBHOOK)
    received_at = models.DateTimeField(db_default=Now())
    processed_at = models.DateTimeField(null=True, blank=True)
    flag = models.CharField(max_length=100, blank=True, help_text="What staff should look at, if anything.")

    class Meta:
        ordering = ("-received_at",)
        indexes = (
            models.Index(fields=("next_attempt_at",), name="stripe_event_due", condition=Q(processed_at__isnull=True)),
            models.Index(fields=("processed_at",), name="stripe_event_processed"),
            models.Index(fields=("flag",), name="stripe_event_flagged", condition=~Q(flag="")),
        )

    def __str__(self) -> str:
        return self.id


class Reconciliation(models.Model):
    """One comparison of our rows with Stripe's: what was looked at, what was put right, and what still differs."""

    since = models.DateTimeField(help_text="What happened at Stripe before that was not looked at.")
    started_at = models.DateTimeField(db_default=Now())
    heartbeat_at = models.DateTimeField(db_default=Now(), help_text="Its last sign of life.")
    finished_at = models.DateTimeField(null=True, blank=True)
    counts = models.JSONField(default=dict, blank=True, help_text="How many of each were checked or fixed.")
    sums = models.JSONField(default=dict, blank=True, help_text="By currency, ours beside Stripe's.")
    differences = models.JSONField(default=list, blank=True)
    error = models.CharField(max_length=500, blank=True, help_text="Why it broke off, if it did.")

    class Meta:
        ordering = ("-id",)
        constraints = (
            # Of those that run, with neither an end nor an error, there is one at a time.
            models.UniqueConstraint(
                fields=("error",), condition=Q(finished_at__isnull=True, error=""), name="one_reconciliation_at_a_time"
            ),
        )

    def __str__(self) -> str:
        return f"Reconciliation {self.pk}"

    @property
    def difference_count(self) -> int:
        """How many there were, those too many to be written down among them."""
        number: int = self.counts.get("differences", 0)
        return number
