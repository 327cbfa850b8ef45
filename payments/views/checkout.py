"""The checkout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.permissions import AllowAny
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from accounts.authentication import current_user
from auctioncraft.api.idempotency import IDEMPOTENCY_KEY_HEADER, idempotency_key
from auctioncraft.api.parse_body import read_body
from auctioncraft.core import clock
from payments.serializers.checkout import CheckoutSerializer, CreatePaymentIntentSerializer, PaymentConfigSerializer
from payments.services import checkout

if TYPE_CHECKING:
    from rest_framework.request import Request


class PaymentViewSet(ViewSet):
    """Pay for products that you have won."""

    @extend_schema(
        summary="Create a PaymentIntent",
        request=CreatePaymentIntentSerializer,
        parameters=[IDEMPOTENCY_KEY_HEADER],
        responses={200: CheckoutSerializer},
    )
    @action(detail=False, methods=["post"], url_path="create-payment-intent")
    def create_payment_intent(self, request: Request) -> Response:
        """Create the PaymentIntent of a product that you have won, or return the open one."""
        body = read_body(CreatePaymentIntentSerializer, request)
        result = checkout.create_payment_intent(
            product_id=body["product_id"],
            user_id=current_user(request).pk,
            idempotency_key=idempotency_key(request),
        )
        context = {"request": request, "now": clock.now()}
        return Response(CheckoutSerializer(result, context=context).data)

    @extend_schema(summary="Retrieve the payment configuration", responses={200: PaymentConfigSerializer}, auth=[])
    @action(detail=False, methods=["get"], authentication_classes=(), permission_classes=(AllowAny,))
    def config(self, request: Request) -> Response:  # noqa: ARG002 (DRF's signature)
        """Return the public configuration of payments."""
        return Response(PaymentConfigSerializer(settings).data)
