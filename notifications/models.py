"""Notifications, preferences, and the emails to send."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from accounts.models import OneTimeCode
from auctioncraft.core.retry import RetryModel
from auctions.models import Product


class NotificationQuerySet(models.QuerySet["Notification"]):
    """Named reads."""

    def shown(self, recipient_id: int | None) -> NotificationQuerySet:
        """Return the user's notifications that are shown in the app."""
        return self.filter(recipient=recipient_id, in_app=True)

    def unread(self, recipient_id: int | None) -> NotificationQuerySet:
        """Return those of them that are unread."""
        return self.shown(recipient_id).filter(read_at__isnull=True)


class Notification(models.Model):
    """A notification of one event to one user: exactly one per (recipient, kind, source).

    It is written even if the user switched its kind off: `in_app` and `mailed` record their preference at that time.
    """

    # No index of its own: the indexes and the constraint below begin with it.
    recipient = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, db_index=False, related_name="notifications"
    )
    kind = models.CharField(max_length=32)
    title = models.CharField(max_length=200)
    message = models.TextField()
    product = models.ForeignKey(Product, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    source = models.CharField(max_length=64, help_text="The event, such as `product:12:7` or `order:3:paid`.")
    in_app = models.BooleanField(default=True, db_default=True, help_text="Shown in the app.")
    # With a database default, an insert that finds an existing row returns that row's value (notification_writer.py).
    mailed = models.BooleanField(default=True, db_default=True, help_text="Sent by email too.")
    read_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    objects: ClassVar[Any] = NotificationQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        indexes = (
            models.Index(fields=("recipient", "-id"), name="notification_newest", condition=Q(in_app=True)),
            # Counted for every page of the list.
            models.Index(
                fields=("recipient", "-id"),
                name="notification_unread",
                condition=Q(in_app=True, read_at__isnull=True),
            ),
        )
        constraints = (
            models.UniqueConstraint(fields=("recipient", "kind", "source"), name="one_notification_per_event"),
        )

    def __str__(self) -> str:
        return f"{self.kind} to {self.recipient_id}"

    @property
    def is_read(self) -> bool:
        """Whether the recipient has marked it as read."""
        return self.read_at is not None


class Preference(models.Model):
    """Where a user wants notifications of one kind. Without a row the kind's default applies."""

    # No index of its own: the constraint begins with it.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, db_index=False, related_name="notification_preferences"
    )
    kind = models.CharField(max_length=32)
    in_app = models.BooleanField()
    mail = models.BooleanField()

    class Meta:
        ordering = ("id",)
        constraints = (models.UniqueConstraint(fields=("user", "kind"), name="one_preference_per_kind"),)

    def __str__(self) -> str:
        return f"{self.kind} to {self.user_id}"


class EndingSoonSent(models.Model):
    """Marks an auction whose ending-soon notifications are written, or that is too short for them.

    Deleted when the seller or staff move the end.
    """

    product = models.OneToOneField(Product, primary_key=True, on_delete=models.CASCADE, related_name="+")
    claim = models.UUIDField(default=uuid.uuid4, help_text="Distinguishes the claims of parallel jobs.")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = "ending-soon notification"

    def __str__(self) -> str:
        return f"Ending of product {self.product_id}"


class EmailDeliveryQuerySet(models.QuerySet["EmailDelivery"]):
    """Named reads."""

    def waiting(self) -> EmailDeliveryQuerySet:
        """Return what is neither sent nor given up."""
        return self.filter(sent_at__isnull=True, next_attempt_at__isnull=False)

    def about_the_same(self, notification: Notification) -> EmailDeliveryQuerySet:
        """Return the emails to the same member, of the same kind, about the same product."""
        return self.filter(
            notification__recipient=notification.recipient_id,
            notification__kind=notification.kind,
            notification__product=notification.product_id,
        )


class EmailDelivery(RetryModel):
    """An email to send: of a notification or of a one-time code."""

    notification = models.OneToOneField(
        Notification, null=True, blank=True, on_delete=models.CASCADE, related_name="delivery"
    )
    code = models.OneToOneField(OneTimeCode, null=True, blank=True, on_delete=models.CASCADE, related_name="delivery")
    sent_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[Any] = EmailDeliveryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "email deliveries"
        indexes = (
            # For the metrics, and the purge.
            models.Index(fields=("sent_at",), name="email_sent", condition=Q(sent_at__isnull=False)),
            models.Index(
                fields=("next_attempt_at",),
                name="code_email_waiting",
                condition=Q(sent_at__isnull=True, code__isnull=False),
            ),
            models.Index(
                fields=("next_attempt_at",),
                name="notification_email_waiting",
                condition=Q(sent_at__isnull=True, notification__isnull=False),
            ),
        )
        constraints = (
            models.CheckConstraint(
                condition=Q(notification__isnull=False, code__isnull=True)
                | Q(notification__isnull=True, code__isnull=False),
                name="email_delivery_has_one_subject",
            ),
        )

    def __str__(self) -> str:
        return f"Email {self.pk}"
