"""The orders one buys or sells in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.viewsets import ReadOnlyModelViewSet

from accounts.authentication import caller
from auctioncraft import clock
from auctioncraft.errors import Invalid
from payments import serializers
from payments.models import Order

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request


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
        return {**super().get_serializer_context(), **seen_by(self.request)}


def seen_by(request: Request) -> dict[str, Any]:
    """Return the context that serializers of orders want."""
    return {"now": clock.now(), "user_id": caller(request).pk}
