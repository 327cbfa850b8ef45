"""Stripe's webhook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.parsers import BaseParser
from rest_framework.permissions import AllowAny
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from auctioncraft.api.parsers import BodyTooLarge, read_limited
from payments.serializers.checkout import WebhookReceivedSerializer
from payments.services import webhooks

if TYPE_CHECKING:
    from rest_framework.request import Request


class EventParser(BaseParser):
    """Returns the raw body, over which the signature is made, whatever its content type."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:  # noqa: ARG002
        """Return the bytes. Raises BodyTooLarge over 256 KB, without reading if the length is given."""
        if int(parser_context["request"].META.get("CONTENT_LENGTH") or 0) > webhooks.MAX_BODY:
            raise BodyTooLarge
        return read_limited(stream, webhooks.MAX_BODY)


class StripeViewSet(ViewSet):
    """Webhooks of Stripe."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    parser_classes = (EventParser,)
    # Stripe sends in bursts and signs what it sends.
    throttle_scope = None

    @extend_schema(
        summary="Receive a Stripe event",
        request={"application/json": OpenApiTypes.OBJECT},
        parameters=[
            OpenApiParameter(
                "Stripe-Signature",
                OpenApiTypes.STR,
                OpenApiParameter.HEADER,
                required=True,
                description="Stripe's signature of the body.",
            )
        ],
        responses={200: WebhookReceivedSerializer},
        auth=[],
    )
    @action(detail=False, methods=["post"])
    def webhook(self, request: Request) -> Response:
        """Receive an event. 200 means stored and processed, or flagged for staff; otherwise Stripe sends it again."""
        payload = request.data if isinstance(request.data, bytes) else b""
        webhooks.receive(payload=payload, signature=request.headers.get("Stripe-Signature", ""))
        return Response(WebhookReceivedSerializer({"received": True}).data)
