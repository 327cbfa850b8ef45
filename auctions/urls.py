"""The routes of this app, for the one router."""

from __future__ import annotations

from typing import Any

from auctions.views.bids import MyBidViewSet, ProductBidViewSet, ProductEventViewSet, ReadOnlyBidViewSet
from auctions.views.categories import CategoryViewSet
from auctions.views.images import ProductImageViewSet
from auctions.views.products import ProductViewSet

routes: list[tuple[str, Any, str]] = [
    ("categories", CategoryViewSet, "category"),
    ("products", ProductViewSet, "product"),
    (r"products/(?P<product_id>[0-9]{1,18})/bids", ProductBidViewSet, "product-bid"),
    (r"products/(?P<product_id>[0-9]{1,18})/events", ProductEventViewSet, "product-event"),
    (r"products/(?P<product_id>[0-9]{1,18})/images", ProductImageViewSet, "product-image"),
    ("bids", MyBidViewSet, "bid"),
    # Behind the others, whose addresses are named.
    (r"products/(?P<product_id>[0-9]{1,18})/bids", ReadOnlyBidViewSet, "one-product-bid"),
    ("bids", ReadOnlyBidViewSet, "one-bid"),
]
