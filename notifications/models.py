"""What people are told, and the mails that are still to go out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from accounts.models import OneTimeCode
from auctions.models import Product

if TYPE_CHECKING:
    from datetime import datetime


class NotificationQuerySet(models.QuerySet["Notification"]):
    """Named reads."""

    def unread(self, recipient_id: int | None) -> NotificationQuerySet:
        """Return what somebody has not read yet."""
        return self.filter(recipient=recipient_id, read_at__isnull=True)


class Notification(models.Model):
    """A notice to one person about one event: exactly one per (recipient, kind, source)."""

    # Without an index of its own: both below and the constraint begin with it.
    recipient = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, db_index=False, related_name="notifications"
    )
    kind = models.CharField(max_length=32)
    title = models.CharField(max_length=200)
    message = models.TextField()
    product = models.ForeignKey(Product, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    source = models.CharField(max_length=64, help_text="The event it tells of: `product:12:7`, `order:3:paid`.")
    read_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    objects: ClassVar[Any] = NotificationQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        indexes = (
            models.Index(fields=("recipient", "-id"), name="notification_newest"),
            # Counted with every page of the list.
            models.Index(fields=("recipient", "-id"), name="notification_unread", condition=Q(read_at__isnull=True)),
        )
        constraints = (models.UniqueConstraint(fields=("recipient", "kind", "source"), name="one_notice_per_event"),)

    def __str__(self) -> str:
        return f"{self.kind} to {self.recipient_id}"

    @property
    def is_read(self) -> bool:
        """Whether its recipient has seen it."""
        return self.read_at is not None


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    """Named reads."""

    def waiting(self) -> DeliveryQuerySet:
        """Return what is neither sent nor given up."""
        return self.filter(sent_at__isnull=True, given_up_at__isnull=True)

    def due(self, now: datetime) -> DeliveryQuerySet:
        """Return what may be claimed, the most urgent first."""
        return self.waiting().filter(due_at__lte=now).order_by("priority", "due_at")

    def held(self, delivery: Delivery) -> DeliveryQuerySet:
        """Return its row while the claim that read it is the latest one: the count of attempts tells claims apart."""
        return self.waiting().filter(pk=delivery.pk, attempts=delivery.attempts)


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

    objects: ClassVar[Any] = DeliveryQuerySet.as_manager()

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
