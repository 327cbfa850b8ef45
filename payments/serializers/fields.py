"""Fields that several serializers of payments use."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework import serializers


class PublishableKeyField(serializers.CharField):
    """The publishable API key of this server."""

    def __init__(self, **kwargs: Any) -> None:
        """Set `read_only` and the description."""
        super().__init__(**{"read_only": True, "help_text": "The publishable key for Stripe.js.", **kwargs})

    def get_attribute(self, instance: Any) -> str:  # noqa: ARG002 (DRF's signature)
        """Return the key, whatever the instance."""
        key: str = settings.STRIPE_PUBLISHABLE_KEY
        return key
