"""Routers for the apps' URLconfs, and the root of the API."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from django.urls import URLResolver, get_resolver
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.response import Response
from rest_framework.routers import DefaultRouter
from rest_framework.views import APIView
from rest_framework_nested.routers import NestedMixin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rest_framework.request import Request

_ROOT = "api/"


class Router(DefaultRouter):
    """DRF's router, without format suffixes and without a root view: RootView is the root of all apps."""

    include_root_view = False
    include_format_suffixes = False


class NestedRouter(NestedMixin, Router):
    """Routes below one resource of another router, like the bids of a product."""


class RootView(APIView):
    """The root of the API."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        """List every address that needs no id. The schema describes all of them."""
        return Response({path: request.build_absolute_uri(f"/{_ROOT}{path}/") for path in _plain_paths()})


@cache
def _plain_paths() -> tuple[str, ...]:
    paths = (path.removeprefix(_ROOT).strip("/") for path in _walk(get_resolver(), "") if path.startswith(_ROOT))
    # A path with a parameter has a group or a converter in its pattern.
    return tuple(sorted({path for path in paths if path and not {"(", "<"} & set(path)}))


def _walk(resolver: URLResolver, prefix: str) -> Iterator[str]:
    for pattern in resolver.url_patterns:
        path = prefix + str(pattern.pattern).removeprefix("^").removesuffix("$")
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern, path)
        else:
            yield path
