"""Categories."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.permissions import SAFE_METHODS, AllowAny, IsAdminUser
from rest_framework.viewsets import ModelViewSet

from accounts.authentication import current_user
from auctioncraft.api.idempotency import IDEMPOTENCY_KEY_HEADER, idempotent_response
from auctioncraft.api.parse_body import ParseBodyMixin, read_body
from auctions.models import Category
from auctions.serializers.categories import CategorySerializer
from auctions.serializers.lifecycle import RequiredReasonSerializer
from auctions.services import categories

if TYPE_CHECKING:
    from rest_framework.permissions import BasePermission
    from rest_framework.request import Request
    from rest_framework.response import Response
    from rest_framework.serializers import BaseSerializer


@extend_schema_view(
    list=extend_schema(summary="List categories", description="Return all categories by name. Each names its parent."),
    retrieve=extend_schema(summary="Retrieve a category", description="Return a category."),
    partial_update=extend_schema(summary="Update a category", description="Rename or move a category. Only for staff."),
    destroy=extend_schema(
        summary="Delete a category",
        description="Delete an empty category. Only for staff.",
        request=RequiredReasonSerializer,
    ),
)
class CategoryViewSet(ParseBodyMixin, ModelViewSet):
    """The tree of categories."""

    queryset = Category.objects.order_by("name", "id")
    serializer_class = CategorySerializer
    lookup_value_regex = "[0-9]{1,18}"
    http_method_names = ("get", "post", "patch", "delete", "head", "options")

    def get_permissions(self) -> list[BasePermission]:
        """Let everyone read and staff write."""
        return [AllowAny() if self.request.method in SAFE_METHODS else IsAdminUser()]

    @extend_schema(summary="Create a category", parameters=[IDEMPOTENCY_KEY_HEADER])
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:  # noqa: ARG002 (DRF's signature)
        """Create a category. Only for staff."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        fields: dict[str, Any] = serializer.validated_data

        def work() -> dict[str, Any]:
            serializer.instance = categories.save_category(category=Category(), **fields)
            return dict(serializer.data)

        parent = fields.get("parent")
        named = {**fields, "parent": parent and parent.pk}
        return idempotent_response(request, operation="category", status=201, work=work, **named)

    def perform_update(self, serializer: BaseSerializer) -> None:
        """Save by the service."""
        category: Any = serializer.instance
        serializer.instance = categories.save_category(category=category, **serializer.validated_data)

    def perform_destroy(self, instance: Category) -> None:
        """Delete by the service."""
        categories.delete_category(
            category=instance, actor=current_user(self.request), **read_body(RequiredReasonSerializer, self.request)
        )
