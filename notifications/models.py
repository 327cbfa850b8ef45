"""What people are told, and the mails that are still to go out."""

from __future__ import annotations

import uuid
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

    def shown(self, recipient_id: int | None) -> NotificationQuerySet:
        """Return what somebody is told in the app."""
        return self.filter(recipient=recipient_id, in_app=True)

    def unread(self, recipient_id: int | None) -> NotificationQuerySet:
        """Return what somebody has not read yet of that."""
        return self.shown(recipient_id).filter(read_at__isnull=True)


class Notification(models.Model):
    """A notice to one person about one event: exactly one per (recipient, kind, source).

    Also where its recipient has switched its kind off. Then it is not shown, or not mailed, for good: `in_app` and
    `mailed` say how they wanted it when it was written.
    """

    # Without an index of its own: both below and the constraint begin with it.
    recipient = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, db_index=False, related_name="notifications"
    )
    kind = models.CharField(max_length=32)
    title = models.CharField(max_length=200)
    message = models.TextField()
    product = models.ForeignKey(Product, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    source = models.CharField(max_length=64, help_text="The event it tells of: `product:12:7`, `order:3:paid`.")
    in_app = models.BooleanField(default=True, db_default=True, help_text="Whether it is shown in the app.")
    # With a default of the database the row's own value comes back from an insert that finds it there (store()).
    mailed = models.BooleanField(default=True, db_default=True, help_text="Whether it goes out by mail too.")
    read_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    objects: ClassVar[Any] = NotificationQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        indexes = (
            models.Index(fields=("recipient", "-id"), name="notification_newest", condition=Q(in_app=True)),
            # Counted with every page of the list.
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
        """Whether its recipient has seen it."""
        return self.read_at is not None


class Preference(models.Model):
    """How somebody wants to be told of one kind of event. No row: as the kind does by itself."""

    # Without an index of its own: the constraint begins with it.
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
    """Of this auction's end people were told beforehand, or need not be: inserted by the sweep that did so.

    Deleted when somebody, not a bid, moves the end.
    """

    product = models.OneToOneField(Product, primary_key=True, on_delete=models.CASCADE, related_name="+")
    claim = models.UUIDField(default=uuid.uuid4, help_text="Tells apart what sweeps at once have claimed.")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = "ending-soon notification"

    def __str__(self) -> str:
        return f"Ending of product {self.product_id}"


class EmailDeliveryQuerySet(models.QuerySet["EmailDelivery"]):
    """Named reads."""

    def waiting(self) -> EmailDeliveryQuerySet:
        """Return what is neither sent nor given up."""
        return self.filter(sent_at__isnull=True, given_up_at__isnull=True)

    def due(self, now: datetime) -> EmailDeliveryQuerySet:
        """Return what may be claimed, the most urgent first."""
        return self.waiting().filter(due_at__lte=now).order_by("priority", "due_at")

    def held(self, delivery: EmailDelivery) -> EmailDeliveryQuerySet:
        """Return its row while the claim that read it is the latest one: the count of attempts tells claims apart."""
        return self.waiting().filter(pk=delivery.pk, attempts=delivery.attempts)


class EmailDelivery(models.Model):
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

    objects: ClassVar[Any] = EmailDeliveryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "e-mail deliveries"
        indexes = (
            models.Index(
                fields=("priority", "due_at"),
                name="email_delivery_waiting",
                condition=Q(sent_at__isnull=True, given_up_at__isnull=True),
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
        return f"E-mail {self.pk}"
