"""Pictures on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.files.storage import default_storage
from rest_framework import serializers

if TYPE_CHECKING:
    from auctions.models import ProductImage


class ImageSerializer(serializers.Serializer):
    """A picture of a product."""

    id = serializers.IntegerField()
    url = serializers.CharField()
    thumbnail = serializers.CharField()
    width = serializers.IntegerField(help_text="Of the picture at `url`, in pixels.")
    height = serializers.IntegerField()


class AddImageSerializer(serializers.Serializer):
    """A picture to add: JPEG, PNG or WebP."""

    image = serializers.FileField()


def image_row(row: dict[str, Any]) -> dict[str, Any]:
    """Return the public side of a row of viewing.list_images()."""
    return {
        "id": row["id"],
        "url": default_storage.url(row["image"]),
        "thumbnail": default_storage.url(row["thumbnail"]),
        "width": row["width"],
        "height": row["height"],
    }


def added_image(image: ProductImage) -> dict[str, Any]:
    """Return a picture that was just added."""
    names = {"image": image.image.name, "thumbnail": image.thumbnail.name}
    return image_row({"id": image.pk, **names, "width": image.width, "height": image.height})
