"""The shared code as an app: commands, the table of idempotency keys, the admin site."""

from django.apps import AppConfig
from django.contrib.admin import apps as django_admin


class AuctioncraftConfig(AppConfig):
    """The shared code."""

    name = "auctioncraft"
    default = True


class AdminConfig(django_admin.AdminConfig):
    """Django's admin with our own site."""

    default = False
    default_site = "auctioncraft.admin_site.AdminSite"
