"""Notifications and emails in the admin, read-only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin

from auctioncraft.admin import ReadOnlyAdmin, RetryAdmin
from notifications.models import EmailDelivery, Notification, Preference
from notifications.services import email_delivery

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest


@admin.register(Notification)
class NotificationAdmin(ReadOnlyAdmin):
    """All notifications, including those that users switched off."""

    list_display = ("id", "kind", "recipient", "title", "product_id", "in_app", "mailed", "read_at", "created_at")
    list_display_links = ("id", "title")
    list_filter = ("kind", "in_app", "mailed", ("read_at", admin.EmptyFieldListFilter), "created_at")
    list_select_related = ("recipient",)
    search_fields = ("recipient__email", "title", "source")
    ordering = ("-id",)


@admin.register(Preference)
class PreferenceAdmin(ReadOnlyAdmin):
    """Preferences that differ from the default. Only the users themselves change them."""

    list_display = ("id", "user", "kind", "in_app", "mail")
    list_filter = ("kind", "in_app", "mail")
    list_select_related = ("user",)
    search_fields = ("user__email", "kind")
    ordering = ("-id",)


@admin.register(EmailDelivery)
class EmailDeliveryAdmin(RetryAdmin):
    """Emails that wait, are sent or, without a next attempt, given up. A code is shown by its row number only."""

    list_display = ("id", "subject", "recipient", "next_attempt_at", "attempts", "sent_at", "last_error")
    list_filter = (
        ("code", admin.EmptyFieldListFilter),
        ("sent_at", admin.EmptyFieldListFilter),
        ("next_attempt_at", admin.EmptyFieldListFilter),
    )
    list_select_related = ("notification__recipient", "code")
    search_fields = ("notification__recipient__email", "notification__source", "code__email", "last_error")
    ordering = ("-id",)
    fields = list_display[1:]
    restart = staticmethod(email_delivery.restart)

    def get_queryset(self, request: HttpRequest) -> QuerySet[EmailDelivery]:
        """Defer the secrets from which a code is derived."""
        rows: QuerySet[EmailDelivery] = super().get_queryset(request)
        return rows.defer("code__nonce", "code__pending_password")

    @admin.display
    def subject(self, delivery: EmailDelivery) -> str:
        """Return the notification's kind, or the code's row number."""
        return delivery.notification.kind if delivery.notification else str(delivery.code)

    @admin.display
    def recipient(self, delivery: EmailDelivery) -> str:
        """Return the address."""
        if delivery.notification:
            return delivery.notification.recipient.email
        return delivery.code.email if delivery.code else ""
