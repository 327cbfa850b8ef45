"""The payment calls. Who may do what, and whether, is in services."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.parsers import BaseParser
from rest_framework.permissions import AllowAny
from rest_framework.response import Response
from rest_framework.viewsets import ReadOnlyModelViewSet, ViewSet

from accounts.authentication import caller
from auctioncraft import clock, money
from auctioncraft.api.headers import IDEMPOTENCY_KEY, idempotency_key
from auctioncraft.api.parsers import read_body
from auctioncraft.errors import Invalid
from payments import serializers
from payments.models import Order
from payments.services import checkout, webhooks

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request


class PaymentViewSet(ViewSet):
    """Paying for what one has won."""

    @extend_schema(
        request=serializers.CreatePaymentIntentSerializer,
        parameters=[IDEMPOTENCY_KEY],
        responses={200: serializers.CheckoutSerializer},
    )
    @action(detail=False, methods=["post"], url_path="create-payment-intent")
    def create_payment_intent(self, request: Request) -> Response:
        """Start, or go on with, paying for a won product: the winner's one live PaymentIntent."""
        asked = serializers.CreatePaymentIntentSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        result = checkout.create_payment_intent(
            product_id=asked.validated_data["product_id"],
            user_id=caller(request).pk,
            idempotency_key=idempotency_key(request),
        )
        return Response(
            {
                "client_secret": result.client_secret,
                "payment_intent_id": result.payment_intent_id,
                "publishable_key": settings.STRIPE_PUBLISHABLE_KEY,
                "amount": money.to_text(result.order.total, result.order.currency),
                "currency": result.order.currency,
                "status": result.status,
                "order": serializers.OrderSerializer(result.order, context=_context(request)).data,
            }
        )

    @extend_schema(responses={200: serializers.PaymentConfigSerializer}, auth=[])
    @action(detail=False, methods=["get"], authentication_classes=(), permission_classes=(AllowAny,))
    def config(self, request: Request) -> Response:  # noqa: ARG002 (DRF's signature)
        """Return what a checkout page must know before there is an order."""
        bands = settings.BUYERS_PREMIUM_BANDS
        return Response(
            {
                "publishable_key": settings.STRIPE_PUBLISHABLE_KEY,
                "currencies": sorted(money.CURRENCIES),
                "buyers_premium": [{"from_price": str(start), "percent": str(percent)} for start, percent in bands],
            }
        )


@extend_schema_view(
    list=extend_schema(parameters=[OpenApiParameter("status", OpenApiTypes.STR, enum=Order.Status.values)]),
)
class OrderViewSet(ReadOnlyModelViewSet):
    """The orders one buys or sells in; staff see all of them."""

    serializer_class = serializers.OrderSerializer
    lookup_value_regex = "[0-9]{1,18}"
    queryset = Order.objects.none()

    def get_queryset(self) -> QuerySet[Order]:
        """Return what the caller may see, of the status asked for."""
        orders: QuerySet[Order] = Order.objects.visible_to(self.request.user).with_parties()
        status = self.request.query_params.get("status")
        if self.action != "list" or status is None:
            return orders
        if status not in Order.Status.values:
            raise Invalid(status=f"One of {', '.join(Order.Status.values)} is needed.")
        return orders.filter(status=status)

    def get_serializer_context(self) -> dict[str, Any]:
        """Add whose answer it is, and when."""
        return {**super().get_serializer_context(), **_context(self.request)}


class EventParser(BaseParser):
    """The raw body whatever it says it is: the signature is over its bytes. Over 256 KB is 413, unread."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:  # noqa: ARG002
        """Return the bytes. Raises BodyTooLarge."""
        return read_body(stream, webhooks.MAX_BODY)


class StripeViewSet(ViewSet):
    """What Stripe calls."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    parser_classes = (EventParser,)

    @extend_schema(
        request={"application/json": OpenApiTypes.OBJECT},
        parameters=[OpenApiParameter("Stripe-Signature", OpenApiTypes.STR, OpenApiParameter.HEADER, required=True)],
        responses={200: serializers.ReceivedSerializer},
        auth=[],
    )
    @action(detail=False, methods=["post"])
    def webhook(self, request: Request) -> Response:
        """Take a signed event. 200: it is kept, and acted on or flagged for staff. Else: send it again."""
        payload = request.data if isinstance(request.data, bytes) else b""
        webhooks.receive(payload=payload, signature=request.headers.get("Stripe-Signature", ""))
        return Response({"received": True})


def _context(request: Request) -> dict[str, Any]:
    return {"now": clock.now(), "user_id": caller(request).pk}
