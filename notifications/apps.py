"""The notifications app."""

from importlib import import_module

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    """Notifications."""

    name = "notifications"

    def ready(self) -> None:
        """Connect the receivers."""
        import_module("notifications.receivers")
