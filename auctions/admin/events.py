"""The event log and watches in the admin."""

from __future__ import annotations

from django.contrib import admin

from auctioncraft.admin import ReadOnlyAdmin
from auctions.models import AuctionEvent, EventOutbox, Watch


@admin.register(AuctionEvent)
class AuctionEventAdmin(ReadOnlyAdmin):
    """The event log, read-only."""

    list_display = ("id", "product", "seq", "kind", "created_at")
    list_filter = ("kind",)
    list_select_related = ("product",)
    search_fields = ("=product__id",)
    ordering = ("-id",)


@admin.register(EventOutbox)
class EventOutboxAdmin(ReadOnlyAdmin):
    """Events that a worker has not processed yet."""

    list_display = ("id", "product_id", "seq")
    search_fields = ("=product_id",)
    ordering = ("id",)


@admin.register(Watch)
class WatchAdmin(ReadOnlyAdmin):
    """Who watches which product."""

    list_display = ("id", "user", "product")
    list_select_related = ("user", "product")
    search_fields = ("user__email", "=product__id")
    ordering = ("-id",)
