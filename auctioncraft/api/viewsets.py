"""Base classes of views."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework.viewsets import ViewSet

if TYPE_CHECKING:
    from rest_framework.request import Request


class NoStoreViewSet(ViewSet):
    """Forbid caches to store the responses, which contain tokens or personal data (RFC 6749, 5.1)."""

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Add the header to every response, errors included."""
        response = super().finalize_response(request, response, *args, **kwargs)
        response.headers["Cache-Control"] = "no-store"
        return response
