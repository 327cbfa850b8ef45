"""Pages of notifications with the number of unread ones."""

from __future__ import annotations

from typing import Any

from auctioncraft.api.pagination import PageNumberPagination
from notifications.models import Notification


class NotificationPagination(PageNumberPagination):
    """Pages with `unread_count`, the number of all unread notifications of the user."""

    def page_body(self, data: Any) -> dict[str, Any]:
        """Return the page's body."""
        assert self.request is not None  # noqa: S101 (paginate_queryset has set it)  # nosec B101
        return {**super().page_body(data), "unread_count": Notification.objects.unread(self.request.user.pk).count()}

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Describe the page for the OpenAPI schema."""
        described = super().get_paginated_response_schema(schema)
        described["required"] = [*described["required"], "unread_count"]
        described["properties"]["unread_count"] = {"type": "integer", "minimum": 0}
        return described
