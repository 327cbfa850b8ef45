"""Pages: `{"count", "next", "previous", "results"}`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework.pagination import PageNumberPagination as Base
from rest_framework.response import Response

from auctioncraft.core.errors import NotFound

if TYPE_CHECKING:
    from rest_framework.request import Request

MAX_EXACT_COUNT = 10_000


class PageNumberPagination(Base):
    """`?page=` and `?page_size=` (default 12, most 100).

    Counting millions of rows costs more than the page itself, so `count` is exact up to 10,000; beyond that it is
    10,000 and `count_exact: false` says so. A page that ends the list is its own count and costs no second query.
    """

    page_size = 12
    page_size_query_param = "page_size"
    max_page_size = 100

    request: Request
    count: int
    number: int

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:  # noqa: ARG002 (DRF's signature)
        """Return the rows of the page that was asked for. Raises NotFound for a page that is not there."""
        self.request = request
        size = self.get_page_size(request) or self.page_size
        self.number = self._page_number()
        offset = (self.number - 1) * size
        if offset > MAX_EXACT_COUNT:
            raise NotFound("There is no such page.")
        rows = list(queryset[offset : offset + size + 1])
        if not rows and self.number > 1:
            raise NotFound("There is no such page.")
        self.has_next = len(rows) > size
        self.count = _count(queryset) if self.has_next else offset + len(rows)
        return rows[:size]

    def _page_number(self) -> int:
        raw = self.request.query_params.get(self.page_query_param, "1")
        if not (raw.isascii() and raw.isdigit() and len(raw) < 10 and int(raw) > 0):
            raise NotFound("There is no such page.")
        return int(raw)

    def get_paginated_response(self, data: Any) -> Response:
        """Wrap the rows of the page."""
        return Response(self.page_body(data))

    def page_body(self, data: Any) -> dict[str, Any]:
        """Return the page's body."""
        body = {
            "count": min(self.count, MAX_EXACT_COUNT),
            "next": self._link(self.number + 1) if self.has_next else None,
            "previous": self._link(self.number - 1) if self.number > 1 else None,
            "results": data,
        }
        if self.count > MAX_EXACT_COUNT:
            body["count_exact"] = False
        return body

    def _link(self, number: int) -> str:
        query = self.request.query_params.copy()
        query[self.page_query_param] = str(number)
        return self.request.build_absolute_uri(f"{self.request.path}?{query.urlencode()}")

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """Describe the parameters for the OpenAPI schema: both count from one."""
        described: list[dict[str, Any]] = super().get_schema_operation_parameters(view)
        for parameter in described:
            parameter["schema"]["minimum"] = 1
        return described

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Describe the page for the OpenAPI schema."""
        described = super().get_paginated_response_schema(schema)
        described["required"] = ["count", "next", "previous", "results"]
        for link in ("next", "previous"):
            # As OpenAPI 3.1 says it; DRF's `nullable` is 3.0's, and means nothing any more.
            described["properties"][link].pop("nullable")
            described["properties"][link]["type"] = ["string", "null"]
        described["properties"]["count_exact"] = {
            "type": "boolean",
            "description": "Only there, and false, when there are more than 10,000 rows.",
        }
        return described


def _count(queryset: Any) -> int:
    """Return the count up to one more than is counted exactly. What is no queryset counts itself (`count_up_to`)."""
    if hasattr(queryset, "count_up_to"):
        return int(queryset.count_up_to(MAX_EXACT_COUNT + 1))
    # The subquery keeps the LIMIT below the COUNT; ordering would only make the database sort for nothing.
    return int(queryset.order_by().values("pk")[: MAX_EXACT_COUNT + 1].count())
