"""Categories."""

from __future__ import annotations

from rest_framework import serializers

from auctioncraft.api.fields import IdField
from auctions.models import Category


class CategorySerializer(serializers.ModelSerializer):
    """A category. Staff create, change and delete categories."""

    parent = serializers.PrimaryKeyRelatedField(  # type: ignore[assignment]  # a column; in DRF a serializer's parent
        queryset=Category.objects.all(),
        allow_null=True,
        required=False,
        pk_field=IdField(),
        help_text="The ID of the category above, or null at the top.",
    )
    slug = serializers.SlugField(
        max_length=80, required=False, help_text="A unique name for URLs. Defaults to a slug of the name."
    )
    open_products = serializers.IntegerField(
        read_only=True,
        help_text="The number of products open for bids in this category and those below it. Counted every minute.",
    )

    class Meta:
        model = Category
        fields = ("id", "name", "slug", "parent", "open_products")
