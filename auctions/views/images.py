"""Images of a product."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.permissions import IsAuthenticatedOrReadOnly
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from accounts.authentication import current_user
from auctioncraft.api.idempotency import IDEMPOTENCY_KEY_HEADER, idempotency_key
from auctioncraft.api.parse_body import read_body
from auctioncraft.api.parsers import UploadParser
from auctioncraft.api.throttling import BY_METHOD
from auctions import queries
from auctions.models import ProductImage
from auctions.serializers.images import AddImageSerializer, ImageSerializer
from auctions.services import images

if TYPE_CHECKING:
    from rest_framework.request import Request


class ProductImageViewSet(GenericViewSet):
    """The images of a product. The first one is its thumbnail."""

    queryset = ProductImage.objects.none()
    serializer_class = ImageSerializer
    permission_classes = (IsAuthenticatedOrReadOnly,)
    parser_classes = (UploadParser,)
    lookup_value_regex = "[0-9]{1,18}"

    @property
    def throttle_scope(self) -> str:
        """Limit uploads apart from other writes: decoding an image costs more."""
        return "images" if self.action == "create" else BY_METHOD

    @extend_schema(summary="List the images of a product", responses=ImageSerializer(many=True))
    def list(self, request: Request, product_pk: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """Return the images in their order."""
        page = self.paginate_queryset(queries.list_images(product_id=int(product_pk))) or []
        return self.get_paginated_response(ImageSerializer(page, many=True).data)

    @extend_schema(
        summary="Add an image to a product",
        parameters=[IDEMPOTENCY_KEY_HEADER],
        request=AddImageSerializer,
        responses={201: ImageSerializer},
    )
    def create(self, request: Request, product_pk: str) -> Response:
        """Add an image as the last one, as the seller or staff.

        JPEG of at most 25 megapixels, PNG or WebP of at most 12; at most 5 MB; at most twelve for a product. It is
        stored as a new JPEG without metadata. 409 `image_quota_reached` after the account's number of images in
        30 days.
        """
        body = read_body(AddImageSerializer, request)
        image = images.add_image(
            product_id=int(product_pk),
            actor=current_user(request),
            file=body["image"],
            idempotency_key=idempotency_key(request),
        )
        return Response(ImageSerializer(image).data, status=201)

    @extend_schema(summary="Delete an image", responses={204: OpenApiResponse(description="Deleted.")})
    def destroy(self, request: Request, product_pk: str, pk: str) -> Response:
        """Delete an image of a product without bids, as the seller or staff."""
        images.remove_image(product_id=int(product_pk), image_id=int(pk), actor=current_user(request))
        return Response(status=204)
