"""The router, and its root: every address that needs no id, named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.response import Response
from rest_framework.routers import DefaultRouter
from rest_framework.views import APIView

if TYPE_CHECKING:
    from rest_framework.request import Request


class RootView(APIView):
    """What there is under /api/."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    paths: tuple[str, ...] = ()

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        """List every address that needs no id; the others, with their methods and bodies, are in the schema."""
        return Response({path.strip("/"): request.build_absolute_uri(f"/api/{path}") for path in self.paths})


class Router(DefaultRouter):
    """DRF's router; its root lists actions too, where DRF's lists only the collections."""

    include_format_suffixes = False

    def get_api_root_view(self, api_urls: Any = None) -> Any:
        """Return the root view over all routes that take no argument."""
        # A lookup's group has a parenthesis in its pattern; a plain address has none.
        patterns = [str(url.pattern).removeprefix("^").removesuffix("$") for url in api_urls or ()]
        paths = sorted({path for path in patterns if path and "(" not in path} | {"schema/", "docs/"})
        return RootView.as_view(paths=tuple(paths))
