"""URLs of categories, products and bids."""

from __future__ import annotations

from django.urls import path

from auctioncraft.api.routers import NestedRouter, Router
from auctions.views.bids import BidView, MyBidViewSet, ProductBidViewSet, ProductEventViewSet
from auctions.views.categories import CategoryViewSet
from auctions.views.images import ProductImageViewSet
from auctions.views.products import ProductViewSet

router = Router()
router.register("categories", CategoryViewSet, "category")
router.register("products", ProductViewSet, "product")
router.register("bids", MyBidViewSet, "bid")

product_router = NestedRouter(router, "products", lookup="product")
product_router.register("bids", ProductBidViewSet, "product-bid")
product_router.register("events", ProductEventViewSet, "product-event")
product_router.register("images", ProductImageViewSet, "product-image")

urlpatterns = [
    *router.urls,
    *product_router.urls,
    # After bids/preview/, which they match too.
    path("bids/<str:pk>/", BidView.as_view(), name="one-bid"),
    path("products/<int:product_pk>/bids/<str:pk>/", BidView.as_view(), name="one-product-bid"),
]
