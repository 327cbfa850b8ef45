"""The shared code as an app: commands, the table of idempotency keys, the admin site."""

from django.apps import AppConfig
from django.contrib.admin import apps as django_admin
from django_otp.plugins.otp_totp import apps as otp_totp


class AuctioncraftConfig(AppConfig):
    """The shared code."""

    name = "auctioncraft"
    default = True


class AdminConfig(django_admin.AdminConfig):
    """Django's admin with our own site."""

    default = False
    default_site = "auctioncraft.admin_site.AdminSite"


class TwoFactorConfig(otp_totp.DefaultConfig):  # type: ignore[misc]  # django-otp has no types
    """django-otp's devices, under a name that staff understand."""

    default = False
    verbose_name = "Two-factor devices"
