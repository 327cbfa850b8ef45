"""The Idempotency-Key header, and responses that are repeated under it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import OpenApiParameter
from rest_framework.response import Response

from auctioncraft.core.errors import Invalid
from auctioncraft.core.idempotency import identify, run_idempotent

if TYPE_CHECKING:
    from collections.abc import Callable

    from rest_framework.request import Request

MAX_KEY_LENGTH = 255
IDEMPOTENCY_KEY_HEADER = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "pattern": "^[!-~]([ -~]*[!-~])?$", "maxLength": MAX_KEY_LENGTH},
    OpenApiParameter.HEADER,
    description="A unique value, like a random UUID, of up to 255 printable ASCII characters. A request that is sent "
    "again with the same key and body gets the first response and has no further effect. With another body it gets "
    "a 422. Keys are kept for 30 days.",
)


def idempotency_key(request: Request) -> str | None:
    """Return the request's Idempotency-Key, None without the header.

    Raises Invalid for one that is not 1 to 255 printable ASCII characters. Servers pass a header that is not ASCII on
    as an empty one; taking that for no key would repeat the effect.
    """
    key = request.headers.get("Idempotency-Key")
    if key is not None and not (key.strip() and key.isascii() and key.isprintable() and len(key) <= MAX_KEY_LENGTH):
        raise Invalid(idempotency_key=f"An Idempotency-Key has 1 to {MAX_KEY_LENGTH} printable ASCII characters.")
    return key


def idempotent_response(
    request: Request, *, operation: str, status: int, work: Callable[[], dict[str, Any]], **parameters: Any
) -> Response:
    """Respond with what `work` does for the caller, or with its stored response if the request is sent again.

    The operation and its parameters tell one request from another. Raises IdempotencyKeyReused, and what `work` raises.
    """
    identified = identify(
        operation,
        user_id=request.user.pk or 0,  # `work` refuses an anonymous caller
        key=idempotency_key(request),
        **parameters,
    )
    return Response(run_idempotent(identified, work), status=status)
