"""The privacy app."""

from importlib import import_module

from django.apps import AppConfig


class PrivacyConfig(AppConfig):
    """Privacy."""

    name = "privacy"

    def ready(self) -> None:
        """Connect the receivers."""
        import_module("privacy.receivers")
