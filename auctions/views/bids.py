"""Bids and the event log."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.permissions import AllowAny, IsAuthenticatedOrReadOnly
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from accounts.authentication import TokenAuthentication, current_user
from auctioncraft.api.idempotency import IDEMPOTENCY_KEY_HEADER, idempotency_key
from auctioncraft.api.parse_body import read_body
from auctioncraft.api.throttling import BY_METHOD
from auctions import queries
from auctions.filters import EventFilter
from auctions.models import AuctionEvent, Bid
from auctions.pagination import EventPagination
from auctions.serializers.bids import (
    BidPreviewSerializer,
    EventSerializer,
    MyBidSerializer,
    PlaceBidSerializer,
    PlacedBidSerializer,
    PreviewBidSerializer,
)
from auctions.serializers.history import PublicBidSerializer
from auctions.serializers.lifecycle import ProductAfterVoidSerializer, VoidBidSerializer
from auctions.services import bidding, previewing, voiding

if TYPE_CHECKING:
    from rest_framework.authentication import BaseAuthentication
    from rest_framework.request import Request

    from accounts.services.tokens import Credential


class ProductBidViewSet(GenericViewSet):
    """The bids on a product."""

    queryset = Bid.objects.none()
    serializer_class = PublicBidSerializer
    permission_classes = (IsAuthenticatedOrReadOnly,)
    lookup_value_regex = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"

    def get_authenticators(self) -> list[BaseAuthentication]:
        """Defer the database check of a bid's token: the query that reads the auction does it."""
        # The schema generator calls this without a request.
        is_bid = self.request is not None and self.action_map.get((self.request.method or "").lower()) == "create"
        return [TokenAuthentication(deferred=is_bid)]

    @property
    def throttle_scope(self) -> str:
        """Limit bids apart from other writes."""
        return "bids" if self.action == "create" else BY_METHOD

    @extend_schema(summary="List the bids on a product", responses=PublicBidSerializer(many=True))
    def list(self, request: Request, product_pk: str) -> Response:
        """Return the public bid history, newest first."""
        history = queries.list_bid_history(product_id=int(product_pk), with_ids=request.user.is_staff)
        return self.get_paginated_response(PublicBidSerializer(self.paginate_queryset(history), many=True).data)

    @extend_schema(
        summary="Place a bid",
        parameters=[IDEMPOTENCY_KEY_HEADER],
        request=PlaceBidSerializer,
        responses={201: PlacedBidSerializer},
    )
    def create(self, request: Request, product_pk: str) -> Response:
        """Place a bid of `amount`, let a proxy bid up to `max_amount`, or both. A bid cannot be withdrawn."""
        body = read_body(PlaceBidSerializer, request)
        answer = bidding.place_bid(
            product_id=int(product_pk),
            bidder_id=current_user(request).pk,
            idempotency_key=idempotency_key(request),
            credential=cast("Credential | None", request.auth),
            **body,
        )
        return Response(answer, status=201)

    @extend_schema(summary="Preview a bid", request=PreviewBidSerializer, responses=BidPreviewSerializer)
    @action(detail=False, methods=["post"])
    def preview(self, request: Request, product_pk: str) -> Response:
        """Return what a bid would cost and whether it would be accepted. Nothing is placed."""
        body = read_body(PreviewBidSerializer, request)
        preview = previewing.preview_bid(product_id=int(product_pk), user=current_user(request), **body)
        return Response(BidPreviewSerializer(preview).data)

    @extend_schema(summary="Void a bid", request=VoidBidSerializer, responses=ProductAfterVoidSerializer)
    @action(detail=True, methods=["post"])
    def void(self, request: Request, product_pk: str, pk: str) -> Response:
        """Void a bid with a reason. The price is recomputed without it. Only for staff."""
        body = read_body(VoidBidSerializer, request)
        auction = voiding.void_bid(product_id=int(product_pk), bid_id=UUID(pk), actor=current_user(request), **body)
        return Response(ProductAfterVoidSerializer(auction).data)


class ProductEventViewSet(GenericViewSet):
    """The event log of a product."""

    queryset = AuctionEvent.objects.none()
    permission_classes = (AllowAny,)
    serializer_class = EventSerializer
    filterset_class = EventFilter
    pagination_class = EventPagination

    @extend_schema(summary="List the events of a product", responses=EventSerializer(many=True))
    def list(self, request: Request, product_pk: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """Return the events, oldest first. To follow a product, ask again with the last `seq` as `after`."""
        events = self.filter_queryset(queries.list_events(product_id=int(product_pk)))
        page = self.paginate_queryset(events) or []
        return self.get_paginated_response(EventSerializer(page, many=True).data)


class BidView(APIView):
    """The path of a single bid: 405 for every method but OPTIONS, since bids are never changed."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    http_method_names = ("options",)


class MyBidViewSet(GenericViewSet):
    """The caller's own bids. To place one, post to the product's bids."""

    queryset = Bid.objects.none()
    serializer_class = MyBidSerializer

    @extend_schema(summary="List your bids", responses=MyBidSerializer(many=True))
    def list(self, request: Request) -> Response:
        """Return the products that you have bid on, latest bid first."""
        user = current_user(request)
        page = self.paginate_queryset(queries.list_my_bids(user=user)) or []
        return self.get_paginated_response(MyBidSerializer(page, many=True, context={"user_id": user.pk}).data)
