"""The orders one buys or sells in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.response import Response
from rest_framework.viewsets import ReadOnlyModelViewSet

from accounts.authentication import current_user
from auctioncraft.api.idempotency import IDEMPOTENCY_KEY_HEADER, idempotency_key
from auctioncraft.core import clock
from payments import receipts, serializers
from payments.filters import OrderFilter
from payments.models import Order
from payments.services import refunds

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request

# It brings its own style and loads nothing.
_PAGE: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
}


class OrderViewSet(ReadOnlyModelViewSet):
    """The orders one buys or sells in; staff see all of them."""

    serializer_class = serializers.OrderSerializer
    lookup_value_regex = "[0-9]{1,18}"
    queryset = Order.objects.none()
    filterset_class = OrderFilter

    def get_queryset(self) -> QuerySet[Order]:
        """Return what the caller may see."""
        orders: QuerySet[Order] = Order.objects.visible_to(self.request.user).with_parties()
        return orders if self.action == "list" else orders.with_money()  # type: ignore[attr-defined]

    def get_serializer_class(self) -> type[serializers.OrderSerializer]:
        """Add its history to one order, not to each of a list."""
        return serializers.OrderSerializer if self.action == "list" else serializers.OrderDetailSerializer

    def get_serializer_context(self) -> dict[str, Any]:
        """Add whose answer it is, and when."""
        return {**super().get_serializer_context(), **order_context(self.request)}

    @extend_schema(
        parameters=[IDEMPOTENCY_KEY_HEADER],
        request=serializers.RefundRequestSerializer,
        responses={201: serializers.RefundResultSerializer},
    )
    @action(detail=True, methods=["post"])
    def refund(self, request: Request, pk: str) -> Response:
        """Refund a part or all of what was paid: the order's seller and staff; staff alone what was paid too much."""
        asked = serializers.RefundRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        made = refunds.refund_order(
            order_id=int(pk),
            actor=current_user(request),
            idempotency_key=idempotency_key(request),
            **asked.validated_data,
        )
        answer = {"refund": made, "order": self.get_queryset().get(pk=pk)}
        result = serializers.RefundResultSerializer(answer, context=self.get_serializer_context())
        return Response(result.data, status=201)

    @extend_schema(responses={(200, "text/html"): OpenApiTypes.STR})
    @action(detail=True, methods=["get"])
    def receipt(self, request: Request, pk: str) -> HttpResponse:  # noqa: ARG002 (DRF's signature)
        """Return the order's receipt as a page; before it is paid, a statement of what is due."""
        return HttpResponse(receipts.render_html(receipts.build_receipt(self.get_object())), headers=_PAGE)

    @extend_schema(responses={(200, "application/pdf"): OpenApiTypes.BINARY})
    @action(detail=True, methods=["get"], url_path="receipt/pdf")
    def receipt_pdf(self, request: Request, pk: str) -> HttpResponse:  # noqa: ARG002 (DRF's signature)
        """Return the order's receipt as a PDF."""
        receipt = receipts.build_receipt(self.get_object())
        return HttpResponse(
            receipts.render_pdf(receipt, at=clock.now()),
            content_type="application/pdf",
            headers={"Content-Disposition": f'attachment; filename="{receipt.number}.pdf"'},
        )


def order_context(request: Request) -> dict[str, Any]:
    """Return the context that serializers of orders want."""
    user = current_user(request)
    return {"now": clock.now(), "user_id": user.pk, "is_staff": user.is_staff}
