"""The tree of categories."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Count, ProtectedError
from django.utils.text import slugify

from auctioncraft.core.errors import Invalid
from auctions.errors import CategoryInUse
from auctions.models import Category, Product


def count_open_products() -> dict[int, int]:
    """Return, for each category, how many products are open in it and below it: two queries for the whole tree."""
    own = dict(Product.objects.with_status("open").values_list("category_id").order_by().annotate(count=Count("pk")))
    parents = dict(Category.objects.values_list("id", "parent_id"))
    total = dict.fromkeys(parents, 0)
    for category, count in own.items():
        node: int | None = category
        while node is not None:
            total[node] += count
            node = parents[node]
    return total


def save_category(*, category: Category, **fields: Any) -> Category:
    """Create or change a category; the slug comes from the name unless one is given. Raises Invalid."""
    for name, value in fields.items():
        setattr(category, name, value)
    category.slug = category.slug or slugify(category.name)[:80]
    if not category.slug:
        raise Invalid(slug="The name gives none; one is needed.")
    try:
        with transaction.atomic():
            # All of them: two moves at once could make a ring that neither sees.
            list(Category.objects.select_for_update().order_by("pk").values_list("pk"))
            if category.pk and category.parent_id in Category.objects.subtree(category.pk):
                raise Invalid(parent="A category cannot stand below itself.")
            category.save()
    except IntegrityError as error:
        raise Invalid(slug="It is taken.") from error
    return category


def delete_category(*, category: Category) -> None:
    """Remove an empty category. Raises CategoryInUse."""
    try:
        category.delete()
    except ProtectedError as error:
        raise CategoryInUse from error
