"""Notices and mails for staff: to look at, not to touch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin

from auctioncraft.admin import ReadOnlyAdmin
from notifications.models import EmailDelivery, Notification, Preference

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest


@admin.register(Notification)
class NotificationAdmin(ReadOnlyAdmin):
    """What people were told, or would have been: what they had switched off is marked."""

    list_display = ("id", "kind", "recipient", "title", "product_id", "in_app", "mailed", "read_at", "created_at")
    list_display_links = ("id", "title")
    list_filter = ("kind", "in_app", "mailed", ("read_at", admin.EmptyFieldListFilter), "created_at")
    list_select_related = ("recipient",)
    search_fields = ("recipient__email", "title", "source")
    ordering = ("-id",)


@admin.register(Preference)
class PreferenceAdmin(ReadOnlyAdmin):
    """How people want to be told, where it is not as the kind does by itself. Theirs alone to choose."""

    list_display = ("id", "user", "kind", "in_app", "mail")
    list_filter = ("kind", "in_app", "mail")
    list_select_related = ("user",)
    search_fields = ("user__email", "kind")
    ordering = ("-id",)


@admin.register(EmailDelivery)
class EmailDeliveryAdmin(ReadOnlyAdmin):
    """What is still to be mailed, and what was. A code is shown as "Code 12": its row's number, never its digits."""

    list_display = ("id", "what", "to", "due_at", "attempts", "sent_at", "given_up_at", "error")
    list_filter = (
        "priority",
        ("sent_at", admin.EmptyFieldListFilter),
        ("given_up_at", admin.EmptyFieldListFilter),
        "due_at",
    )
    list_select_related = ("notification__recipient", "code")
    search_fields = ("notification__recipient__email", "notification__source", "code__email", "error")
    ordering = ("-id",)
    fields = ("what", "to", "priority", "due_at", "attempts", "sent_at", "given_up_at", "error")

    def get_queryset(self, request: HttpRequest) -> QuerySet[EmailDelivery]:
        """Defer what a code is derived from: it has no business on a screen."""
        rows: QuerySet[EmailDelivery] = super().get_queryset(request)
        return rows.defer("code__nonce", "code__pending_password")

    @admin.display(description="of")
    def what(self, delivery: EmailDelivery) -> str:
        """Return the notice's kind, or that it is a code."""
        return delivery.notification.kind if delivery.notification else str(delivery.code)

    @admin.display(description="to")
    def to(self, delivery: EmailDelivery) -> str:
        """Return the address."""
        if delivery.notification:
            return delivery.notification.recipient.email
        return delivery.code.email if delivery.code else ""
