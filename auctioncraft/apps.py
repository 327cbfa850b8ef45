"""The kernel as an app: it holds commands, the Idempotency-Key's table, and the admin's site."""

from django.apps import AppConfig
from django.contrib.admin import apps as django_admin


class AuctioncraftConfig(AppConfig):
    """The shared kernel."""

    name = "auctioncraft"
    default = True


class AdminConfig(django_admin.AdminConfig):
    """Django's admin, on a site that guards its door."""

    default = False
    default_site = "auctioncraft.admin_site.AdminSite"
