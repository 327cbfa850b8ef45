"""Request headers that endpoints share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drf_spectacular.utils import OpenApiParameter

from auctioncraft.core.errors import Invalid

if TYPE_CHECKING:
    from rest_framework.request import Request

MAX_KEY_LENGTH = 255
IDEMPOTENCY_KEY_HEADER = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "pattern": "^[!-~]([ -~]*[!-~])?$", "maxLength": MAX_KEY_LENGTH},
    OpenApiParameter.HEADER,
    description="1 to 255 printable ASCII characters: the same key and body get the same answer again.",
)


def idempotency_key(request: Request) -> str | None:
    """Return the request's Idempotency-Key, None without the header.

    Raises Invalid for one that is not 1 to 255 printable ASCII characters: servers hand a header that is not ASCII on
    as an empty one, and to take that for no key would do twice what was to be done once.
    """
    key = request.headers.get("Idempotency-Key")
    if key is not None and not (key.strip() and key.isascii() and key.isprintable() and len(key) <= MAX_KEY_LENGTH):
        raise Invalid(idempotency_key=f"An Idempotency-Key has 1 to {MAX_KEY_LENGTH} printable ASCII characters.")
    return key
