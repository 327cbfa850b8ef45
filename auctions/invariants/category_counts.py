"""The stored counts of open products per category."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from django.db.models import Count, Exists, F, OuterRef

from auctioncraft.core.invariants import invariant
from auctions.models import Auction, AuctionEvent, Category

if TYPE_CHECKING:
    from collections.abc import Iterator


@invariant(8, "categories count their open products")
def check_category_counts() -> Iterator[str]:
    """Check each count against the products that were open when it was taken and have not changed since."""
    changed = AuctionEvent.objects.filter(
        product=OuterRef("pk"), created_at__gt=OuterRef("product__category__open_products_counted_at")
    )
    counted_at = F("product__category__open_products_counted_at")
    unchanged = Auction.objects.filter(
        ~Exists(changed),
        status=Auction.Status.OPEN,
        starts_at__lte=counted_at,
        ends_at__gt=counted_at,
        product__created_at__lte=counted_at,
    )
    least: Counter[int] = Counter()
    categories = {category.pk: category for category in Category.objects.exclude(open_products_counted_at=None)}
    own = unchanged.order_by().values_list("product__category").annotate(count=Count("pk"))
    for category_id, count in own:
        node: int | None = category_id
        while node in categories:
            least[node] += count
            node = categories[node].parent_id
    for pk, category in sorted(categories.items()):
        if category.open_products < least[pk]:
            yield f"category {pk}: counts {category.open_products} open products, at least {least[pk]} were"
