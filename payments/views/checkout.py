"""Paying for what one has won."""

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
from auctioncraft.core import money
from payments import serializers
from payments.services import checkout
from payments.views.orders import order_context

if TYPE_CHECKING:
    from rest_framework.request import Request


class PaymentViewSet(ViewSet):
    """Paying for what one has won."""

    @extend_schema(
        request=serializers.CreatePaymentIntentSerializer,
        parameters=[IDEMPOTENCY_KEY_HEADER],
        responses={200: serializers.CheckoutSerializer},
    )
    @action(detail=False, methods=["post"], url_path="create-payment-intent")
    def create_payment_intent(self, request: Request) -> Response:
        """Start, or go on with, paying for a won product: the winner's one live PaymentIntent."""
        asked = serializers.CreatePaymentIntentSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        result = checkout.create_payment_intent(
            product_id=asked.validated_data["product_id"],
            user_id=current_user(request).pk,
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
                "order": serializers.OrderSerializer(result.order, context=order_context(request)).data,
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
                "card_required_above": {
                    currency: money.to_text(above, currency) for currency, above in settings.CARD_REQUIRED_ABOVE.items()
                },
                "auto_charge": settings.AUTO_CHARGE,
            }
        )
