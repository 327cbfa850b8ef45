"""URLs of categories, products and bids."""

from __future__ import annotations

from auctioncraft.api.routers import NestedRouter, Router
from auctions.views.bids import MyBidViewSet, ProductBidViewSet, ProductEventViewSet, ReadOnlyBidViewSet
from auctions.views.categories import CategoryViewSet
from auctions.views.images import ProductImageViewSet
from auctions.views.products import ProductViewSet

router = Router()
router.register("categories", CategoryViewSet, "category")
router.register("products", ProductViewSet, "product")
router.register("bids", MyBidViewSet, "bid")
router.register("bids", ReadOnlyBidViewSet, "one-bid")

product_router = NestedRouter(router, "products", lookup="product")
product_router.register("bids", ProductBidViewSet, "product-bid")
product_router.register("events", ProductEventViewSet, "product-event")
product_router.register("images", ProductImageViewSet, "product-image")
# Last: its lookup matches every path below bids/.
product_router.register("bids", ReadOnlyBidViewSet, "one-product-bid")

urlpatterns = [*router.urls, *product_router.urls]
