"""What ends, moves or revives an auction: actions of a product."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from accounts.authentication import current_user
from auctioncraft.api.headers import IDEMPOTENCY_KEY_HEADER
from auctioncraft.api.idempotency import idempotent_response
from auctioncraft.api.parse_body import ParseBodyMixin
from auctioncraft.core import clock
from auctions import queries
from auctions.serializers.lifecycle import (
    CloseAuctionSerializer,
    ClosedAuctionSerializer,
    ExtendAuctionSerializer,
    ExtendedAuctionSerializer,
    SecondChanceSerializer,
    closed_auction,
    extended_auction,
    second_chance,
)
from auctions.serializers.products import ProductDetailSerializer, RelistProductSerializer, product_detail
from auctions.services import buying, closing, relisting
from auctions.services import second_chance as second_chances

if TYPE_CHECKING:
    from rest_framework.request import Request


class LifecycleActions(ParseBodyMixin, GenericViewSet):
    """The part of ProductViewSet that bidding is not."""

    @extend_schema(request=CloseAuctionSerializer, responses=ClosedAuctionSerializer)
    @action(detail=True, methods=["post"])
    def close_auction(self, request: Request, pk: str) -> Response:
        """Close an auction now: its seller or staff."""
        serializer = CloseAuctionSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        auction = closing.close_auction(product_id=int(pk), actor=current_user(request), **serializer.validated_data)
        return Response(closed_auction(auction, clock.now()))

    @extend_schema(request=None, responses=ClosedAuctionSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Call an auction off: staff, or its seller while there is no bid."""
        auction = closing.cancel_auction(product_id=int(pk), actor=current_user(request))
        return Response(closed_auction(auction, clock.now()))

    @extend_schema(request=ExtendAuctionSerializer, responses=ExtendedAuctionSerializer)
    @action(detail=True, methods=["post"])
    def extend(self, request: Request, pk: str) -> Response:
        """Move the end of an auction on: staff, after an outage for instance."""
        serializer = ExtendAuctionSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        auction = closing.extend_auction(product_id=int(pk), actor=current_user(request), **serializer.validated_data)
        return Response(extended_auction(auction, clock.now()))

    @extend_schema(parameters=[IDEMPOTENCY_KEY_HEADER], request=None, responses=ClosedAuctionSerializer)
    @action(detail=True, methods=["post"])
    def buy_now(self, request: Request, pk: str) -> Response:
        """Buy a product at its buy-now price; that ends its auction."""

        def work() -> dict[str, Any]:
            return closed_auction(buying.buy_now(product_id=int(pk), buyer=current_user(request)), clock.now())

        return idempotent_response(request, what="buy_now", status=200, work=work, product=int(pk))

    @extend_schema(parameters=[IDEMPOTENCY_KEY_HEADER], request=None, responses=ClosedAuctionSerializer)
    @action(detail=True, methods=["post"])
    def accept_below_reserve(self, request: Request, pk: str) -> Response:
        """Sell at the price an auction ended at below its reserve: its seller, within 48 hours."""

        def work() -> dict[str, Any]:
            auction = closing.accept_below_reserve(product_id=int(pk), actor=current_user(request))
            return closed_auction(auction, clock.now())

        return idempotent_response(request, what="accept_below_reserve", status=200, work=work, product=int(pk))

    @extend_schema(
        parameters=[IDEMPOTENCY_KEY_HEADER], request=RelistProductSerializer, responses={201: ProductDetailSerializer}
    )
    @action(detail=True, methods=["post"])
    def relist(self, request: Request, pk: str) -> Response:
        """List an unsold product again, as it was but for what the body says: its seller."""
        serializer = RelistProductSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        changes: dict[str, Any] = serializer.validated_data

        def work() -> dict[str, Any]:
            product = relisting.relist(product_id=int(pk), actor=current_user(request), changes=changes)
            return product_detail(*queries.get_product_detail_for(product_id=product.pk, user=current_user(request)))

        return idempotent_response(request, what="relist", status=201, work=work, product=int(pk), **changes)

    @extend_schema(parameters=[IDEMPOTENCY_KEY_HEADER], request=None, responses={201: SecondChanceSerializer})
    @action(detail=True, methods=["post"])
    def offer_second_chance(self, request: Request, pk: str) -> Response:
        """Offer a product whose buyer did not pay to the next-highest bidder: its seller or staff."""

        def work() -> dict[str, Any]:
            return second_chance(second_chances.offer(product_id=int(pk), actor=current_user(request)), clock.now())

        return idempotent_response(request, what="offer_second_chance", status=201, work=work, product=int(pk))

    @extend_schema(parameters=[IDEMPOTENCY_KEY_HEADER], request=None, responses=ClosedAuctionSerializer)
    @action(detail=True, methods=["post"])
    def accept_second_chance(self, request: Request, pk: str) -> Response:
        """Take a second-chance offer: whom it was made to, within 24 hours."""

        def work() -> dict[str, Any]:
            return closed_auction(second_chances.accept(product_id=int(pk), bidder=current_user(request)), clock.now())

        return idempotent_response(request, what="accept_second_chance", status=200, work=work, product=int(pk))

    @extend_schema(request=None, responses=SecondChanceSerializer)
    @action(detail=True, methods=["post"])
    def decline_second_chance(self, request: Request, pk: str) -> Response:
        """Turn a second-chance offer down."""
        return Response(
            second_chance(second_chances.decline(product_id=int(pk), bidder=current_user(request)), clock.now())
        )
