"""Images of products."""

from __future__ import annotations

from typing import Any

from django.core.files.storage import default_storage
from rest_framework import serializers

from auctioncraft.api.row_serializer import RowSerializer


class StorageURLField(serializers.CharField):
    """The URL of a stored file; null if there is none."""

    def to_representation(self, value: Any) -> str | None:  # type: ignore[override]  # null for no file
        """Return the URL of a file of the storage, given its name."""
        return default_storage.url(str(value)) if value else None


class ImageSerializer(RowSerializer):
    """An image of a product."""

    id = serializers.IntegerField()
    url = StorageURLField(source="image", help_text="URL of the image, a JPEG of at most 2048 pixels a side.")
    thumbnail = StorageURLField(help_text="URL of the thumbnail, a JPEG of at most 400 pixels a side.")
    width = serializers.IntegerField(help_text="Width of the image at `url`, in pixels.")
    height = serializers.IntegerField(help_text="Height of the image at `url`, in pixels.")


class AddImageSerializer(serializers.Serializer):
    """An image to add: JPEG, PNG or WebP."""

    image = serializers.FileField()
