"""Products: list, detail, create, change, withdraw, watch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.utils.http import parse_etags
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.decorators import action
from rest_framework.permissions import SAFE_METHODS, AllowAny, BasePermission, IsAuthenticated
from rest_framework.response import Response

from accounts.authentication import current_user
from auctioncraft.api.headers import IDEMPOTENCY_KEY_HEADER
from auctioncraft.api.idempotency import idempotent_response
from auctioncraft.core.errors import NotFound
from auctions import queries
from auctions.filters import ProductFilter, ProductFilterBackend
from auctions.models import Product
from auctions.serializers.products import (
    CreateProductSerializer,
    ProductDetailSerializer,
    ProductListSerializer,
    UpdateProductSerializer,
    product_detail,
    product_etag,
    product_row,
)
from auctions.services import editing, listing, watching
from auctions.views.lifecycle import LifecycleActions

if TYPE_CHECKING:
    from rest_framework.request import Request


class ProductViewSet(LifecycleActions):
    """Products under auction."""

    queryset = Product.objects.all()
    serializer_class = ProductListSerializer
    lookup_value_regex = "[0-9]{1,18}"
    filter_backends = (ProductFilterBackend,)
    filterset_class = ProductFilter

    def get_permissions(self) -> list[BasePermission]:
        """Everybody reads; the rest needs a token."""
        return [AllowAny() if self.request.method in SAFE_METHODS else IsAuthenticated()]

    @extend_schema(responses=ProductListSerializer(many=True))
    def list(self, request: Request) -> Response:  # noqa: ARG002 (DRF's signature)
        """List products, newest first."""
        every = self.get_queryset()
        products: Any = self.filter_queryset(every)
        pages: Any = queries.NewestProducts() if products is every else products.rows()
        rows = self.paginate_queryset(pages)
        return self.get_paginated_response([product_row(row) for row in rows or ()])

    @extend_schema(
        responses={200: ProductDetailSerializer, 304: OpenApiResponse(description="Unchanged since that ETag.")}
    )
    def retrieve(self, request: Request, pk: str) -> Response:
        """Return a product whole. Without a token the answer is the same for everybody and has an ETag."""
        row = queries.get_product_detail(product_id=int(pk))
        if row is None:
            raise NotFound
        if request.user.is_authenticated:
            viewer = queries.get_viewer_state(row=row, user=current_user(request))
            return Response(
                product_detail(row, viewer), headers={"Cache-Control": "private, no-store", "Vary": "Authorization"}
            )
        body = product_detail(row)
        etag = product_etag(body)
        headers = {"ETag": etag, "Cache-Control": "public, no-cache", "Vary": "Authorization"}
        if etag in parse_etags(request.headers.get("If-None-Match", "")):
            return Response(status=304, headers=headers)
        return Response(body, headers=headers)

    @extend_schema(
        parameters=[IDEMPOTENCY_KEY_HEADER], request=CreateProductSerializer, responses={201: ProductDetailSerializer}
    )
    def create(self, request: Request) -> Response:
        """List a product of one's own: it starts now and ends in seven days unless it says otherwise."""
        serializer = CreateProductSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        fields: dict[str, Any] = serializer.validated_data

        def work() -> dict[str, Any]:
            product = listing.create_product(seller=current_user(request), **fields)
            return product_detail(*queries.get_product_detail_for(product_id=product.pk, user=current_user(request)))

        return idempotent_response(request, what="product", status=201, work=work, **fields)

    @extend_schema(request=UpdateProductSerializer, responses=ProductDetailSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change a product: its seller or staff. With bids only its description may grow, at its end."""
        serializer = UpdateProductSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        changes: dict[str, Any] = serializer.validated_data
        editing.edit_product(product_id=int(pk), actor=current_user(request), changes=changes)
        return Response(product_detail(*queries.get_product_detail_for(product_id=int(pk), user=current_user(request))))

    @extend_schema(responses={204: OpenApiResponse(description="Withdrawn.")})
    def destroy(self, request: Request, pk: str) -> Response:
        """Withdraw a product that nobody has bid on: its seller or staff."""
        editing.delete_product(product_id=int(pk), actor=current_user(request))
        return Response(status=204)

    @extend_schema(request=None, responses={204: OpenApiResponse(description="Followed.")})
    @action(detail=True, methods=["post"])
    def watch(self, request: Request, pk: str) -> Response:
        """Follow a product."""
        watching.watch(product_id=int(pk), user=current_user(request))
        return Response(status=204)

    @extend_schema(request=None, responses={204: OpenApiResponse(description="Not followed any more.")})
    @watch.mapping.delete
    def unwatch(self, request: Request, pk: str) -> Response:
        """Follow it no more."""
        watching.unwatch(product_id=int(pk), user=current_user(request))
        return Response(status=204)
