"""Pictures of a product."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.permissions import SAFE_METHODS, AllowAny, BasePermission, IsAuthenticated
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from accounts.authentication import current_user
from auctioncraft.api.headers import IDEMPOTENCY_KEY_HEADER, idempotency_key
from auctioncraft.api.parsers import UploadParser
from auctions import queries
from auctions.models import ProductImage
from auctions.serializers.images import AddImageSerializer, ImageSerializer, added_image, image_row
from auctions.services import images

if TYPE_CHECKING:
    from rest_framework.request import Request


class ProductImageViewSet(GenericViewSet):
    """The pictures of a product, the first of which is its thumbnail."""

    queryset = ProductImage.objects.none()
    serializer_class = ImageSerializer
    parser_classes = (UploadParser,)
    lookup_value_regex = "[0-9]{1,18}"

    def get_permissions(self) -> list[BasePermission]:
        """Everybody looks; the rest needs a token."""
        return [AllowAny() if self.request and self.request.method in SAFE_METHODS else IsAuthenticated()]

    @extend_schema(responses=ImageSerializer(many=True))
    def list(self, request: Request, product_pk: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """List the pictures in their order."""
        page = self.paginate_queryset(queries.list_images(product_id=int(product_pk))) or []
        return self.get_paginated_response([image_row(row) for row in page])

    @extend_schema(parameters=[IDEMPOTENCY_KEY_HEADER], request=AddImageSerializer, responses={201: ImageSerializer})
    def create(self, request: Request, product_pk: str) -> Response:
        """Add a picture, at most 5 MB and 25 megapixels: the seller or staff. It is encoded anew as a JPEG."""
        serializer = AddImageSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        image = images.add_image(
            product_id=int(product_pk),
            actor=current_user(request),
            file=serializer.validated_data["image"],
            idempotency_key=idempotency_key(request),
        )
        return Response(added_image(image), status=201)

    @extend_schema(responses={204: OpenApiResponse(description="Removed.")})
    def destroy(self, request: Request, product_pk: str, pk: str) -> Response:
        """Remove a picture of a product that nobody has bid on: its seller or staff."""
        images.remove_image(product_id=int(product_pk), image_id=int(pk), actor=current_user(request))
        return Response(status=204)
