"""Answering a POST that creates or charges: once for each Idempotency-Key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework.response import Response

from auctioncraft.api.headers import idempotency_key
from auctioncraft.core.idempotency import fingerprint, run_idempotent

if TYPE_CHECKING:
    from collections.abc import Callable

    from rest_framework.request import Request


def idempotent_response(
    request: Request, *, what: str, status: int, work: Callable[[], dict[str, Any]], **parameters: Any
) -> Response:
    """Do the signed-in caller's `work` and answer what it returns; with the same Idempotency-Key, that answer again.

    `what` and `parameters` tell one request from another. Raises IdempotencyKeyReused, and what `work` raises.
    """
    answer = run_idempotent(
        user_id=request.user.pk or 0,  # an anonymous caller has not come this far
        key=idempotency_key(request),
        fingerprint=fingerprint(what, **parameters),
        work=work,
    )
    return Response(answer, status=status)
