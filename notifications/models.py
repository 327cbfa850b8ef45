"""What people are told, and the mails that are still to go out."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from accounts.models import OneTimeCode
from auctions.models import Product


class Notification(models.Model):
    """A notice to one person about one event: exactly one per (recipient, kind, source)."""

    recipient = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notifications")
    kind = models.CharField(max_length=32)
    title = models.CharField(max_length=200)
    message = models.TextField()
    product = models.ForeignKey(Product, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    source = models.CharField(max_length=64, help_text="The event it tells of: `product:12:7`, `order:3:paid`.")
    read_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ("-id",)
        indexes = (models.Index(fields=("recipient", "-id"), name="notification_newest"),)
        constraints = (
            models.UniqueConstraint(fields=("recipient", "kind", "source"), name="one_notice_per_event"),
        )

    def __str__(self) -> str:
        return f"{self.kind} to {self.recipient_id}"


class Delivery(models.Model):
    """A mail that is to go out: of a notification, or of a one-time code. The worker claims it, sends it, marks it."""

    notification = models.OneToOneField(
        Notification, null=True, blank=True, on_delete=models.CASCADE, related_name="delivery"
    )
    code = models.OneToOneField(OneTimeCode, null=True, blank=True, on_delete=models.CASCADE, related_name="delivery")
    # Claimed in this order: somebody waits in front of the screen for a code.
    priority = models.PositiveSmallIntegerField(default=1)
    due_at = models.DateTimeField(db_default=Now(), help_text="Not before; moved on by a lease and by a failure.")
    attempts = models.PositiveIntegerField(default=0)
    sent_at = models.DateTimeField(null=True, blank=True)
    given_up_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=200, blank=True)

    class Meta:
        verbose_name_plural = "deliveries"
        indexes = (
            models.Index(
                fields=("priority", "due_at"),
                name="delivery_waiting",
                condition=Q(sent_at__isnull=True, given_up_at__isnull=True),
            ),
        )
        constraints = (
            models.CheckConstraint(
                condition=Q(notification__isnull=False, code__isnull=True)
                | Q(notification__isnull=True, code__isnull=False),
                name="delivery_of_one_thing",
            ),
        )

    def __str__(self) -> str:
        return f"Delivery {self.pk}"
