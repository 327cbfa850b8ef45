"""The kernel as an app: it holds commands and the Idempotency-Key's table."""

from django.apps import AppConfig


class AuctioncraftConfig(AppConfig):
    """The shared kernel."""

    name = "auctioncraft"
