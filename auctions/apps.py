"""The auctions app."""

from importlib import import_module

from django.apps import AppConfig


class AuctionsConfig(AppConfig):
    """The configuration of the auctions app."""

    name = "auctions"

    def ready(self) -> None:
        """Connect the receivers."""
        import_module("auctions.receivers")
