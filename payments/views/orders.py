"""Orders, refunds and receipts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.response import Response
from rest_framework.viewsets import ReadOnlyModelViewSet

from accounts.authentication import current_user
from auctioncraft.api.idempotency import IDEMPOTENCY_KEY_HEADER, idempotency_key
from auctioncraft.api.parse_body import read_body
from auctioncraft.api.throttling import BY_METHOD
from auctioncraft.core import clock
from payments import receipts
from payments.filters import OrderFilter
from payments.models import Order
from payments.serializers.orders import (
    OrderDetailSerializer,
    OrderSerializer,
    RecordPaymentSerializer,
    RefundRequestSerializer,
    RefundResultSerializer,
)
from payments.services import recorded_payments, refunds

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request

# The page has inline styles and loads nothing.
_RECEIPT_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
}


@extend_schema_view(
    list=extend_schema(summary="List orders"),
    retrieve=extend_schema(summary="Retrieve an order", description="Returns an order with its history and refunds."),
)
class OrderViewSet(ReadOnlyModelViewSet):
    """Orders in which you are the buyer or the seller. Staff see all orders."""

    serializer_class = OrderSerializer
    lookup_value_regex = "[0-9]{1,18}"
    throttle_scope: str | None = BY_METHOD
    queryset = Order.objects.none()
    filterset_class = OrderFilter

    def get_queryset(self) -> QuerySet[Order]:
        """Return the orders that the caller may see."""
        orders: QuerySet[Order] = Order.objects.visible_to(self.request.user).with_parties()
        return orders if self.action == "list" else orders.with_money()  # type: ignore[attr-defined]

    def get_serializer_class(self) -> type[OrderSerializer]:
        """Return a single order with its history."""
        return OrderSerializer if self.action == "list" else OrderDetailSerializer

    def get_serializer_context(self) -> dict[str, Any]:
        """Add the time of the response."""
        return {**super().get_serializer_context(), "now": clock.now()}

    @extend_schema(
        summary="Refund an order",
        parameters=[IDEMPOTENCY_KEY_HEADER],
        request=RefundRequestSerializer,
        responses={201: RefundResultSerializer},
    )
    @action(detail=True, methods=["post"])
    def refund(self, request: Request, pk: str) -> Response:
        """Refund a payment fully or in part. For the seller and staff; surplus payments are refunded by staff."""
        body = read_body(RefundRequestSerializer, request)
        made = refunds.refund_order(
            order_id=int(pk),
            actor=current_user(request),
            request=refunds.RefundRequest(**body),
            idempotency_key=idempotency_key(request),
        )
        answer = {"refund": made, "order": self.get_queryset().get(pk=pk)}
        result = RefundResultSerializer(answer, context=self.get_serializer_context())
        return Response(result.data, status=201)

    @extend_schema(
        summary="Record a payment",
        parameters=[IDEMPOTENCY_KEY_HEADER],
        request=RecordPaymentSerializer,
        responses={201: OrderDetailSerializer},
    )
    @action(detail=True, methods=["post"])
    def record_payment(self, request: Request, pk: str) -> Response:
        """Record that the order was paid outside Stripe. For staff and, if the operator allows it, the seller."""
        body = read_body(RecordPaymentSerializer, request)
        recorded_payments.record_payment(
            order_id=int(pk),
            actor=current_user(request),
            received=recorded_payments.ReceivedPayment(**body),
            idempotency_key=idempotency_key(request),
        )
        return Response(self.get_serializer(self.get_queryset().get(pk=pk)).data, status=201)

    @extend_schema(summary="Retrieve a receipt", responses={(200, "text/html"): OpenApiTypes.STR})
    @action(detail=True, methods=["get"])
    def receipt(self, request: Request, pk: str) -> HttpResponse:  # noqa: ARG002 (DRF's signature)
        """Return the receipt as an HTML page or, before payment, a statement of what is due."""
        return HttpResponse(receipts.render_html(receipts.build_receipt(self.get_object())), headers=_RECEIPT_HEADERS)

    @extend_schema(summary="Retrieve a receipt as PDF", responses={(200, "application/pdf"): OpenApiTypes.BINARY})
    # Rendering a page takes a tenth of a second of CPU time, and more in some scripts.
    @action(detail=True, methods=["get"], url_path="receipt/pdf", throttle_scope="writes")
    def receipt_pdf(self, request: Request, pk: str) -> HttpResponse:  # noqa: ARG002 (DRF's signature)
        """Return the receipt as a PDF."""
        receipt = receipts.build_receipt(self.get_object())
        return HttpResponse(
            receipts.render_pdf(receipt, at=clock.now()),
            content_type="application/pdf",
            headers={"Content-Disposition": f'attachment; filename="{receipt.number}.pdf"'},
        )
