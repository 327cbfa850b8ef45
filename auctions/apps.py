"""The auctions app."""

from django.apps import AppConfig


class AuctionsConfig(AppConfig):
    """Auctions."""

    name = "auctions"
