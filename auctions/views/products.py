"""Products: list, retrieve, create, update, delete, watch."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import orjson
from django.utils.http import parse_etags
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.decorators import action
from rest_framework.permissions import IsAuthenticatedOrReadOnly
from rest_framework.response import Response

from accounts.authentication import current_user
from auctioncraft.api.idempotency import IDEMPOTENCY_KEY_HEADER, idempotent_response
from auctioncraft.api.parse_body import read_body
from auctions import queries
from auctions.filters import ProductFilter, ProductFilterBackend
from auctions.models import Product
from auctions.serializers.lifecycle import ReasonSerializer
from auctions.serializers.products import (
    CreateProductSerializer,
    ProductDetailSerializer,
    ProductListSerializer,
    UpdateProductSerializer,
)
from auctions.services import editing, listing, watching
from auctions.views.lifecycle import LifecycleActions

if TYPE_CHECKING:
    from rest_framework.request import Request


class ProductViewSet(LifecycleActions):
    """Products and their auctions."""

    queryset = Product.objects.all()
    serializer_class = ProductListSerializer
    permission_classes = (IsAuthenticatedOrReadOnly,)
    lookup_value_regex = "[0-9]{1,18}"
    filter_backends = (ProductFilterBackend,)
    filterset_class = ProductFilter

    @extend_schema(summary="List products", responses=ProductListSerializer(many=True))
    def list(self, request: Request) -> Response:  # noqa: ARG002 (DRF's signature)
        """Return products, newest first unless `ordering` or `search` is given."""
        every = self.get_queryset()
        products: Any = self.filter_queryset(every)
        pages: Any = queries.NewestProducts() if products is every else products.rows()
        return self.get_paginated_response(ProductListSerializer(self.paginate_queryset(pages), many=True).data)

    @extend_schema(
        summary="Retrieve a product",
        responses={200: ProductDetailSerializer, 304: OpenApiResponse(description="Not modified since that ETag.")},
    )
    def retrieve(self, request: Request, pk: str) -> Response:
        """Return a product with its images and latest bids. With an access token, also the caller's own view."""
        if request.user.is_authenticated:
            headers = {"Cache-Control": "private, no-store", "Vary": "Authorization"}
            return Response(self._detail(request, int(pk)), headers=headers)
        body = ProductDetailSerializer(queries.get_product_detail(product_id=int(pk))).data
        etag = _etag(body)
        headers = {"ETag": etag, "Cache-Control": "public, no-cache", "Vary": "Authorization"}
        if etag in parse_etags(request.headers.get("If-None-Match", "")):
            return Response(status=304, headers=headers)
        return Response(body, headers=headers)

    @extend_schema(
        summary="Create a product",
        parameters=[IDEMPOTENCY_KEY_HEADER],
        request=CreateProductSerializer,
        responses={201: ProductDetailSerializer},
    )
    def create(self, request: Request) -> Response:
        """List a product for auction. By default it starts now and ends in seven days."""
        fields = read_body(CreateProductSerializer, request)

        def work() -> dict[str, Any]:
            product = listing.create_product(seller=current_user(request), **fields)
            return self._detail(request, product.pk)

        return idempotent_response(request, operation="product", status=201, work=work, **fields)

    @extend_schema(summary="Update a product", request=UpdateProductSerializer, responses=ProductDetailSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change a product, as its seller or staff. After the first bid, only text can be added to the description."""
        body = read_body(UpdateProductSerializer, request)
        editing.edit_product(product_id=int(pk), actor=current_user(request), changes=body)
        return Response(self._detail(request, int(pk)))

    @extend_schema(
        summary="Delete a product",
        request=ReasonSerializer,
        responses={204: OpenApiResponse(description="Deleted.")},
    )
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete a product without bids, as its seller or staff."""
        body = read_body(ReasonSerializer, request)
        editing.delete_product(product_id=int(pk), actor=current_user(request), **body)
        return Response(status=204)

    @extend_schema(summary="Watch a product", request=None, responses={204: OpenApiResponse(description="Watched.")})
    @action(detail=True, methods=["post"])
    def watch(self, request: Request, pk: str) -> Response:
        """Add a product to the products that you watch."""
        watching.watch(product_id=int(pk), user=current_user(request))
        return Response(status=204)

    @extend_schema(
        summary="Stop watching a product",
        request=None,
        responses={204: OpenApiResponse(description="Not watched anymore.")},
    )
    @watch.mapping.delete
    def unwatch(self, request: Request, pk: str) -> Response:
        """Remove a product from the products that you watch."""
        watching.unwatch(product_id=int(pk), user=current_user(request))
        return Response(status=204)


def _etag(body: dict[str, Any]) -> str:
    """Return the ETag of a detail without a viewer: of everything in it but the time.

    The bids are covered by `seq`. Weak, because answers with the same ETag differ in `server_time`.
    """
    content = {key: value for key, value in body.items() if key not in {"server_time", "bids"}}
    return f'W/"{hashlib.blake2b(orjson.dumps(content), digest_size=12).hexdigest()}"'
