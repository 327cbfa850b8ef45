"""Bids and the event log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.permissions import SAFE_METHODS, AllowAny, BasePermission, IsAuthenticated
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet, ViewSet

from accounts.authentication import TokenAuthentication, current_user
from auctioncraft.api.headers import IDEMPOTENCY_KEY_HEADER, idempotency_key
from auctioncraft.core import clock
from auctions import queries
from auctions.models import AuctionEvent, Bid
from auctions.serializers.bids import (
    BidPreviewSerializer,
    EventQuerySerializer,
    EventSerializer,
    MyBidSerializer,
    PlaceBidSerializer,
    PlacedBidSerializer,
    event_row,
    my_bid,
)
from auctions.serializers.history import PublicBidSerializer, history_row
from auctions.serializers.lifecycle import ProductAfterVoidSerializer, VoidBidSerializer, standing_after_void
from auctions.services import bidding, previewing, voiding

if TYPE_CHECKING:
    from rest_framework.authentication import BaseAuthentication
    from rest_framework.request import Request

    from accounts.services.tokens import Credential


class ProductBidViewSet(GenericViewSet):
    """The bids on a product."""

    queryset = Bid.objects.none()
    serializer_class = PublicBidSerializer
    lookup_value_regex = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"

    def get_permissions(self) -> list[BasePermission]:
        """Everybody reads the history; a bid needs a token."""
        return [AllowAny() if self.request and self.request.method in SAFE_METHODS else IsAuthenticated()]

    def get_authenticators(self) -> list[BaseAuthentication]:
        """Defer a bid's: its token is checked against the database by the bid's own read, not by one more."""
        # The schema generator asks without a request.
        placing = self.request is not None and self.action_map.get((self.request.method or "").lower()) == "create"
        return [TokenAuthentication(deferred=placing)]

    @extend_schema(responses=PublicBidSerializer(many=True))
    def list(self, request: Request, product_pk: str) -> Response:
        """List the public history, newest first. Staff see each bid's id."""
        product, rows = queries.list_bid_history(product_id=int(product_pk))
        page = self.paginate_queryset(rows) or []
        staff = request.user.is_authenticated and request.user.is_staff
        return self.get_paginated_response(
            [history_row(row, salt=product.alias_salt, currency=product.currency, staff=staff) for row in page]
        )

    @extend_schema(
        parameters=[IDEMPOTENCY_KEY_HEADER], request=PlaceBidSerializer, responses={201: PlacedBidSerializer}
    )
    def create(self, request: Request, product_pk: str) -> Response:
        """Place a bid: `amount` is said aloud, `max_amount` lets a proxy bid for you up to it."""
        serializer = PlaceBidSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        answer = bidding.place_bid(
            product_id=int(product_pk),
            bidder_id=current_user(request).pk,
            idempotency_key=idempotency_key(request),
            credential=cast("Credential | None", request.auth),
            **serializer.validated_data,
        )
        return Response(answer, status=201)

    @extend_schema(request=PlaceBidSerializer, responses=BidPreviewSerializer)
    @action(detail=False, methods=["post"])
    def preview(self, request: Request, product_pk: str) -> Response:
        """Say what a bid would come to, without placing it."""
        serializer = PlaceBidSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return Response(
            previewing.preview_bid(product_id=int(product_pk), user=current_user(request), **serializer.validated_data)
        )

    @extend_schema(request=VoidBidSerializer, responses=ProductAfterVoidSerializer)
    @action(detail=True, methods=["post"])
    def void(self, request: Request, product_pk: str, pk: str) -> Response:
        """Declare a bid void: staff, with a reason that those concerned will read."""
        serializer = VoidBidSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        auction = voiding.void_bid(
            product_id=int(product_pk), bid_id=UUID(pk), actor=current_user(request), **serializer.validated_data
        )
        return Response(standing_after_void(auction, clock.now()))


class ProductEventViewSet(GenericViewSet):
    """The event log of a product."""

    queryset = AuctionEvent.objects.none()
    permission_classes = (AllowAny,)
    serializer_class = EventSerializer

    @extend_schema(parameters=[EventQuerySerializer], responses=EventSerializer(many=True))
    def list(self, request: Request, product_pk: str) -> Response:
        """List the gap-free log, oldest first, from `?after=` on."""
        query = EventQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        events = queries.list_events(product_id=int(product_pk), **query.validated_data)
        return self.get_paginated_response([event_row(row) for row in self.paginate_queryset(events) or ()])


class ReadOnlyBidViewSet(ViewSet):
    """A bid by itself, of a product's or of one's own: never changed, never taken back. All is 405."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    # Previews are another view's.
    lookup_value_regex = "(?!preview/)[^/]+"
    http_method_names = ("options",)

    @extend_schema(exclude=True)
    def destroy(self, request: Request, **_: Any) -> Response:
        """Name a method, so that the router makes the address; which, does not matter."""
        raise MethodNotAllowed(request.method or "")


class MyBidViewSet(GenericViewSet):
    """One's own bids. Read only: a bid is placed on its product and never changed."""

    queryset = Bid.objects.none()
    serializer_class = MyBidSerializer

    @extend_schema(responses=MyBidSerializer(many=True))
    def list(self, request: Request) -> Response:
        """List the products one has bid on, the latest bid first, and how one stands."""
        rows = self.paginate_queryset(queries.list_my_bids(user=current_user(request))) or []
        return self.get_paginated_response([my_bid(row, current_user(request).pk) for row in rows])
