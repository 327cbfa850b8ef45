"""Actions that close, extend, relist and resell an auction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from accounts.authentication import current_user
from auctioncraft.api.idempotency import IDEMPOTENCY_KEY_HEADER, idempotent_response
from auctioncraft.api.parse_body import ParseBodyMixin, read_body
from auctions import queries
from auctions.serializers.lifecycle import (
    CloseAuctionSerializer,
    ClosedAuctionSerializer,
    ExtendAuctionSerializer,
    ExtendedAuctionSerializer,
    SecondChanceSerializer,
)
from auctions.serializers.products import ProductDetailSerializer, RelistProductSerializer
from auctions.services import buying, closing, relisting, second_chance

if TYPE_CHECKING:
    from rest_framework.request import Request


class LifecycleActions(ParseBodyMixin, GenericViewSet):
    """The actions of ProductViewSet other than reading, editing and watching."""

    @extend_schema(summary="Close an auction", request=CloseAuctionSerializer, responses=ClosedAuctionSerializer)
    @action(detail=True, methods=["post"])
    def close_auction(self, request: Request, pk: str) -> Response:
        """Close an auction before its end, as its seller or staff."""
        body = read_body(CloseAuctionSerializer, request)
        auction = closing.close_auction(product_id=int(pk), actor=current_user(request), **body)
        return Response(ClosedAuctionSerializer(auction).data)

    @extend_schema(summary="Cancel an auction", request=None, responses=ClosedAuctionSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Cancel an auction without a winner: staff at any time, the seller before the first bid."""
        auction = closing.cancel_auction(product_id=int(pk), actor=current_user(request))
        return Response(ClosedAuctionSerializer(auction).data)

    @extend_schema(summary="Extend an auction", request=ExtendAuctionSerializer, responses=ExtendedAuctionSerializer)
    @action(detail=True, methods=["post"])
    def extend(self, request: Request, pk: str) -> Response:
        """Move the end of an auction to a later time, for example after an outage. Only for staff."""
        body = read_body(ExtendAuctionSerializer, request)
        auction = closing.extend_auction(product_id=int(pk), actor=current_user(request), **body)
        return Response(ExtendedAuctionSerializer(auction).data)

    @extend_schema(
        summary="Buy a product now",
        parameters=[IDEMPOTENCY_KEY_HEADER],
        request=None,
        responses=ClosedAuctionSerializer,
    )
    @action(detail=True, methods=["post"])
    def buy_now(self, request: Request, pk: str) -> Response:
        """Buy a product at its buy-now price. This closes the auction."""

        def work() -> dict[str, Any]:
            return ClosedAuctionSerializer(buying.buy_now(product_id=int(pk), buyer=current_user(request))).data

        return idempotent_response(request, operation="buy_now", status=200, work=work, product=int(pk))

    @extend_schema(
        summary="Accept a price below the reserve",
        parameters=[IDEMPOTENCY_KEY_HEADER],
        request=None,
        responses=ClosedAuctionSerializer,
    )
    @action(detail=True, methods=["post"])
    def accept_below_reserve(self, request: Request, pk: str) -> Response:
        """Sell at the final price although the reserve was not met. Only for the seller, within 48 hours."""

        def work() -> dict[str, Any]:
            auction = closing.accept_below_reserve(product_id=int(pk), actor=current_user(request))
            return ClosedAuctionSerializer(auction).data

        return idempotent_response(request, operation="accept_below_reserve", status=200, work=work, product=int(pk))

    @extend_schema(
        summary="Relist a product",
        parameters=[IDEMPOTENCY_KEY_HEADER],
        request=RelistProductSerializer,
        responses={201: ProductDetailSerializer},
    )
    @action(detail=True, methods=["post"])
    def relist(self, request: Request, pk: str) -> Response:
        """List an unsold product again, with the changes in the body. Only for the seller. Returns the new product."""
        changes = read_body(RelistProductSerializer, request)

        def work() -> dict[str, Any]:
            product = relisting.relist(product_id=int(pk), actor=current_user(request), changes=changes)
            return self._detail(request, product.pk)

        return idempotent_response(request, operation="relist", status=201, work=work, product=int(pk), **changes)

    @extend_schema(
        summary="Offer a second chance",
        parameters=[IDEMPOTENCY_KEY_HEADER],
        request=None,
        responses={201: SecondChanceSerializer},
    )
    @action(detail=True, methods=["post"])
    def offer_second_chance(self, request: Request, pk: str) -> Response:
        """Offer a product whose buyer did not pay to the next highest bidder, as its seller or staff."""

        def work() -> dict[str, Any]:
            return SecondChanceSerializer(second_chance.offer(product_id=int(pk), actor=current_user(request))).data

        return idempotent_response(request, operation="offer_second_chance", status=201, work=work, product=int(pk))

    @extend_schema(
        summary="Accept a second chance",
        parameters=[IDEMPOTENCY_KEY_HEADER],
        request=None,
        responses=ClosedAuctionSerializer,
    )
    @action(detail=True, methods=["post"])
    def accept_second_chance(self, request: Request, pk: str) -> Response:
        """Buy the product at the offered amount. Only for the bidder who got the offer, within 24 hours."""

        def work() -> dict[str, Any]:
            return ClosedAuctionSerializer(second_chance.accept(product_id=int(pk), bidder=current_user(request))).data

        return idempotent_response(request, operation="accept_second_chance", status=200, work=work, product=int(pk))

    @extend_schema(summary="Decline a second chance", request=None, responses=SecondChanceSerializer)
    @action(detail=True, methods=["post"])
    def decline_second_chance(self, request: Request, pk: str) -> Response:
        """Decline a second-chance offer."""
        offer = second_chance.decline(product_id=int(pk), bidder=current_user(request))
        return Response(SecondChanceSerializer(offer).data)

    @staticmethod
    def _detail(request: Request, product_id: int) -> dict[str, Any]:
        row = queries.get_product_detail(product_id=product_id, user=current_user(request))
        return dict(ProductDetailSerializer(row).data)
