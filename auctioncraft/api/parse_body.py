"""Parsing the body of every request, and validating it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework.permissions import SAFE_METHODS
from rest_framework.views import APIView

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.serializers import Serializer


class ParseBodyMixin(APIView):
    """Parses the body even if the action does not read it.

    DRF parses a body when an action reads `request.data`. Otherwise a request would be carried out although its body
    is not JSON (400), has another type (415) or is too large (413). An empty body is fine.
    """

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Parse the body after authentication and permission checks, before the action."""
        super().initial(request, *args, **kwargs)
        if request.method not in SAFE_METHODS:
            request.data  # noqa: B018 (reading it parses it)


def read_body(serializer_class: type[Serializer], request: Request) -> dict[str, Any]:
    """Return the validated body. Raises ValidationError; fields that the serializer does not declare are dropped."""
    serializer = serializer_class(data=request.data)
    serializer.is_valid(raise_exception=True)
    body: dict[str, Any] = serializer.validated_data
    return body
