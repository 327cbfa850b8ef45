"""The payments app."""

from importlib import import_module

from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    """The configuration of the payments app."""

    name = "payments"

    def ready(self) -> None:
        """Connect the receivers."""
        import_module("payments.receivers")
