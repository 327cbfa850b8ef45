"""Images of products."""

from __future__ import annotations

from django.db import models

from auctions.models.product import Product


class ProductImage(models.Model):
    """An image and its thumbnail, both encoded by us. Only services/images writes it."""

    product = models.ForeignKey(Product, on_delete=models.CASCADE, db_index=False, related_name="images")
    position = models.PositiveSmallIntegerField(help_text="The first image gives the product's thumbnail.")
    image = models.ImageField(upload_to="products/", width_field="width", height_field="height")
    thumbnail = models.ImageField(upload_to="products/")
    width = models.PositiveIntegerField(editable=False)
    height = models.PositiveIntegerField(editable=False)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("product", "position")
        constraints = (models.UniqueConstraint(fields=("product", "position"), name="product_image_unique_position"),)

    def __str__(self) -> str:
        return f"Image {self.position} of product {self.product_id}"
