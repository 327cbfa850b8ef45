"""The tree of categories."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction
from django.db.models import Count, ProtectedError
from django.utils.text import slugify

from accounts.models import StaffAction
from accounts.services import staff_actions
from auctioncraft.core import clock
from auctioncraft.core.errors import Invalid
from auctions.errors import CategoryInUse
from auctions.models import Category, Product

if TYPE_CHECKING:
    from accounts.models import User


def count_open_products() -> None:
    """Store how many products are open in each category and those below it. A periodic job.

    Counted, not kept in step by listings and closes: an auction starts and ends by the clock, without a write, and
    a counter would make all listings and closes of a busy category, and of those above it, wait for one row. The
    counts are up to a minute old. The rows are locked before the count, so an older count never replaces a newer one.
    """
    with transaction.atomic():
        categories = list(Category.objects.select_for_update(no_key=True).order_by("pk"))
        now = clock.now()
        products = Product.objects.with_status("open").order_by()
        own = dict(products.values_list("category_id").annotate(count=Count("pk")))
        parents = {category.pk: category.parent_id for category in categories}
        totals = dict.fromkeys(parents, 0)
        for category_id, count in own.items():
            node: int | None = category_id
            while node is not None:
                totals[node] += count
                node = parents[node]
        for category in categories:
            category.open_products, category.open_products_counted_at = totals[category.pk], now
        Category.objects.bulk_update(categories, ["open_products", "open_products_counted_at"], batch_size=500)


def save_category(*, category: Category, **fields: Any) -> Category:
    """Create or change a category. The slug comes from the name unless one is given. Raises Invalid."""
    for name, value in fields.items():
        setattr(category, name, value)
    category.slug = category.slug or slugify(category.name)[:80]
    if not category.slug:
        raise Invalid(slug="Enter a slug: the name has no letters or digits to make one from.")
    try:
        with transaction.atomic():
            # All of them: two moves at once could make a loop that neither sees.
            list(Category.objects.select_for_update().order_by("pk").values_list("pk"))
            if category.pk and category.parent_id in Category.objects.subtree(category.pk):
                raise Invalid(parent="A category cannot be below itself.")
            # Not the count, which may have changed since the category was read.
            category.save(update_fields=("name", "slug", "parent") if category.pk else None)
    except IntegrityError as error:
        raise Invalid(slug="This slug is taken.") from error
    return category


def delete_category(*, category: Category, actor: User, reason: str) -> None:
    """Delete an empty category, as staff. Raises CategoryInUse, Invalid without a reason."""
    target = f"category {category.pk} {category.slug}"
    with transaction.atomic():
        staff_actions.record(actor=actor, action=StaffAction.Action.CATEGORY_DELETED, reason=reason, target=target)
        try:
            category.delete()
        except ProtectedError as error:
            raise CategoryInUse from error
