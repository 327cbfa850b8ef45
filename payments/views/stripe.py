"""What Stripe calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.parsers import BaseParser
from rest_framework.permissions import AllowAny
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from auctioncraft.api.parsers import BodyTooLarge, read_body
from payments import serializers
from payments.services import webhooks

if TYPE_CHECKING:
    from rest_framework.request import Request


class EventParser(BaseParser):
    """The raw body whatever it says it is: the signature is over its bytes. Over 256 KB is 413, unread."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:  # noqa: ARG002
        """Return the bytes. Raises BodyTooLarge."""
        if int(parser_context["request"].META.get("CONTENT_LENGTH") or 0) > webhooks.MAX_BODY:
            raise BodyTooLarge
        return read_body(stream, webhooks.MAX_BODY)


class StripeViewSet(ViewSet):
    """What Stripe calls."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    parser_classes = (EventParser,)

    @extend_schema(
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
        responses={200: serializers.WebhookReceivedSerializer},
        auth=[],
    )
    @action(detail=False, methods=["post"])
    def webhook(self, request: Request) -> Response:
        """Take a signed event. 200: it is kept, and acted on or flagged for staff. Else: send it again."""
        payload = request.data if isinstance(request.data, bytes) else b""
        webhooks.receive(payload=payload, signature=request.headers.get("Stripe-Signature", ""))
        return Response({"received": True})
