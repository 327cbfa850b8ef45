"""Customers and their saved cards."""

from __future__ import annotations

from django.contrib import admin

from auctioncraft.admin import ReadOnlyAdmin
from payments.models import Customer, SavedCard


@admin.register(Customer)
class CustomerAdmin(ReadOnlyAdmin):
    """Customers at Stripe. Those of deleted accounts are deleted at Stripe too."""

    list_display = ("id", "stripe_customer_id", "user", "to_delete", "created_at")
    list_filter = ("to_delete", "created_at")
    list_select_related = ("user",)
    search_fields = ("=id", "stripe_customer_id", "user__email")


@admin.register(SavedCard)
class SavedCardAdmin(ReadOnlyAdmin):
    """Saved cards: brand, last four digits and expiration date."""

    list_display = ("id", "user", "brand", "last4", "exp_month", "exp_year", "auto_charge", "created_at")
    list_filter = ("auto_charge", "brand", "created_at")
    list_select_related = ("user",)
    search_fields = ("=id", "stripe_payment_method_id", "user__email", "last4")
