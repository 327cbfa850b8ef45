"""Pages of lists: `{"count", "next", "previous", "results"}`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework.pagination import PageNumberPagination as Base
from rest_framework.response import Response

from auctioncraft.core.errors import NotFound

if TYPE_CHECKING:
    from rest_framework.request import Request

MAX_EXACT_COUNT = 10_000


class PageNumberPagination(Base):
    """`?page=` and `?page_size=` (default 12, at most 100).

    Counting millions of rows costs more than the page itself, and so does skipping them: `count` is exact up to 10,000
    rows, beyond which it is 10,000 with `count_exact: false`, and pages end with the one that begins there. The last
    page is its own count, without a second query.
    """

    page_size = 12
    page_size_query_param = "page_size"
    max_page_size = 100

    request: Request
    count: int
    number: int
    rows: list[Any]

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:  # noqa: ARG002 (DRF's signature)
        """Return the rows of the requested page. Raises NotFound for a page that does not exist."""
        self.request = request
        size = self.get_page_size(request) or self.page_size
        self.number = self._page_number()
        offset = (self.number - 1) * size
        if offset > MAX_EXACT_COUNT:
            raise NotFound("There is no such page.")
        rows = list(queryset[offset : offset + size + 1])
        if not rows and self.number > 1:
            raise NotFound("There is no such page.")
        self.has_more = len(rows) > size
        self.has_next_page = self.has_more and offset + size <= MAX_EXACT_COUNT
        self.count = _count(queryset) if self.has_more else offset + len(rows)
        self.rows = rows[:size]
        return self.rows

    def _page_number(self) -> int:
        raw = self.request.query_params.get(self.page_query_param, "1")
        if not (raw.isascii() and raw.isdigit() and len(raw) < 10 and int(raw) > 0):
            raise NotFound("There is no such page.")
        return int(raw)

    def get_paginated_response(self, data: Any) -> Response:
        """Respond with the page."""
        return Response(self.page_body(data))

    def page_body(self, data: Any) -> dict[str, Any]:
        """Return the body of the response."""
        body = {
            "count": min(self.count, MAX_EXACT_COUNT),
            "next": self.get_next_link(),
            "previous": self.link(page=self.number - 1) if self.number > 1 else None,
            "results": data,
        }
        if self.count > MAX_EXACT_COUNT:
            body["count_exact"] = False
        return body

    def get_next_link(self) -> str | None:
        """Return the URL of the next page, None if there is none."""
        return self.link(page=self.number + 1) if self.has_next_page else None

    def link(self, **parameters: Any) -> str:
        """Return the request's URL with some parameters changed; None removes one."""
        query = self.request.query_params.copy()
        for name, value in parameters.items():
            query.pop(name, None)
            if value is not None:
                query[name] = str(value)
        return self.request.build_absolute_uri(f"{self.request.path}?{query.urlencode()}")

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """Describe the parameters in the OpenAPI schema."""
        described: list[dict[str, Any]] = super().get_schema_operation_parameters(view)
        described[0]["description"] = "The number of the page, from 1."
        described[1]["description"] = "The number of results on a page."
        described[1]["schema"] |= {"maximum": self.max_page_size, "default": self.page_size}
        for parameter in described:
            parameter["schema"]["minimum"] = 1
        return described

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Describe the page in the OpenAPI schema."""
        described = super().get_paginated_response_schema(schema)
        described["required"] = ["count", "next", "previous", "results"]
        properties = described["properties"]
        properties["count"] |= {"description": "The number of rows of all pages, at most 10,000."}
        for name, page in (("next", "next"), ("previous", "previous")):
            # As OpenAPI 3.1 has it; DRF's `nullable` is of 3.0.
            properties[name].pop("nullable")
            properties[name] |= {"type": ["string", "null"], "description": f"The URL of the {page} page."}
        properties["count_exact"] = {
            "type": "boolean",
            "description": "Present, and false, only if there are more than 10,000 rows.",
        }
        return described


def _count(queryset: Any) -> int:
    """Return the count, up to one above the exact ones. What is no queryset counts itself, by `count_up_to`."""
    if hasattr(queryset, "count_up_to"):
        return int(queryset.count_up_to(MAX_EXACT_COUNT + 1))
    # The subquery keeps the LIMIT below the COUNT; an ordering would only make the database sort.
    return int(queryset.order_by().values("pk")[: MAX_EXACT_COUNT + 1].count())
