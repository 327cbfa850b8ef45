"""Reading what came with a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework.permissions import SAFE_METHODS
from rest_framework.views import APIView

if TYPE_CHECKING:
    from rest_framework.request import Request


class ParseBodyMixin(APIView):
    """A view whose actions need no body, or not all of them: a bad one is refused all the same.

    DRF reads a body when an action asks for it. One that nobody asks for would be carried out whatever came with it:
    not JSON (400), of another type (415), too large (413). None at all is fine.
    """

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Read the body once the caller is known and let in, before any action."""
        super().initial(request, *args, **kwargs)
        if request.method not in SAFE_METHODS:
            request.data  # noqa: B018 (reading is parsing)
