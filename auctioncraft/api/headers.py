"""Request headers that endpoints share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drf_spectacular.utils import OpenApiParameter

if TYPE_CHECKING:
    from rest_framework.request import Request

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="Any string up to 255 characters: the same key and body get the same answer again.",
)


def idempotency_key(request: Request) -> str | None:
    """Return the request's Idempotency-Key, if it has one."""
    return request.headers.get("Idempotency-Key") or None
